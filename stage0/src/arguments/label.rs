//! Labels and annotations.

/// Takes a label apart: `KEY=VALUE`, or a key with an empty value.
pub(crate) fn label(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').unwrap_or((text, ""));
    if key.is_empty() {
        return Err("a label begins with its key".to_owned());
    }
    // Keys name columns, members and lines. A value may be a text of several lines; it is shown as one.
    if key.contains(char::is_control) {
        return Err("its key holds a control character".to_owned());
    }
    if value.contains('\0') {
        return Err("it holds a NUL byte".to_owned());
    }
    Ok((key.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_a_key_with_a_value_that_may_be_empty() {
        let pair = |key: &str, value: &str| Ok((key.to_owned(), value.to_owned()));
        assert_eq!(label("tier=front"), pair("tier", "front"));
        assert_eq!(label("a.b/c=x=y"), pair("a.b/c", "x=y"));
        assert_eq!(label("tier"), pair("tier", ""));
        for none in ["=x", ""] {
            assert_eq!(label(none).unwrap_err(), "a label begins with its key");
        }
        assert_eq!(label("a=b\nc"), pair("a", "b\nc"));
        for odd in ["a\nb=c", "\u{1b}[2J=x", "a\u{85}b", "a\tb"] {
            let reason = label(odd).unwrap_err();
            assert_eq!(reason, "its key holds a control character", "{odd:?}");
        }
    }
}
