//! Texts as TOML has them.

/// A TOML basic string (TOML 1.0, "String").
pub(crate) fn basic_string(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            c if c.is_control() => quoted.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_comes_back_as_it_was() {
        for text in ["", "plain ä", "a\"b\\c", "a\nb\rc\td", "\u{1b}\u{7f}\u{85}"] {
            let written = basic_string(text);
            assert!(!written.contains(|c: char| c.is_control()), "{written:?}");
            let read: toml::Table = toml::from_str(&format!("a = {written}")).unwrap();
            assert_eq!(read["a"].as_str(), Some(text));
        }
        assert_eq!(basic_string("a\n\u{1}"), r#""a\n\u0001""#);
    }
}
