//! Labels and annotations.

/// Takes a label apart: `KEY=VALUE`, or a key with an empty value.
pub(crate) fn label(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').unwrap_or((text, ""));
    match key.is_empty() {
        true => Err("a label begins with its key".to_owned()),
        false => Ok((key.to_owned(), value.to_owned())),
    }
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
    }
}
