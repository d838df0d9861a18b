//! Writing YAML.

use serde_json::Value;

/// A document: members in the order of their names, texts in quotes unless they can be nothing else.
pub(super) fn document(value: &Value) -> String {
    let mut text = String::new();
    node(value, 0, &mut text);
    text
}

fn node(value: &Value, indent: usize, text: &mut String) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (number, (name, value)) in members.iter().enumerate() {
                if number > 0 {
                    text.push_str(&" ".repeat(indent));
                }
                text.push_str(&word(name));
                text.push(':');
                below(value, indent, text);
            }
        }
        Value::Array(values) if !values.is_empty() => {
            for (number, value) in values.iter().enumerate() {
                if number > 0 {
                    text.push_str(&" ".repeat(indent));
                }
                text.push_str("- ");
                node(value, indent + 2, text);
            }
        }
        scalar => {
            text.push_str(&plain(scalar));
            text.push('\n');
        }
    }
}

/// What stands behind the name of a member.
fn below(value: &Value, indent: usize, text: &mut String) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            text.push('\n');
            text.push_str(&" ".repeat(indent + 2));
            node(value, indent + 2, text);
        }
        Value::Array(values) if !values.is_empty() => {
            text.push('\n');
            text.push_str(&" ".repeat(indent));
            node(value, indent, text);
        }
        scalar => {
            text.push(' ');
            node(scalar, indent, text);
        }
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => word(text),
        other => other.to_string(),
    }
}

/// A text, in the quotes of JSON if it could be taken for anything else.
fn word(text: &str) -> String {
    const WORDS: [&str; 12] = [
        "true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan", "inf", "infinity",
    ];
    let is_inner = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'/' | b'_' | b'-');
    let begins = |c: u8| c.is_ascii_alphabetic() || c == b'/';
    let is_plain = text.bytes().next().is_some_and(begins)
        && text.bytes().all(is_inner)
        && !WORDS.contains(&text.to_ascii_lowercase().as_str());
    match is_plain {
        true => text.to_owned(),
        // JSON leaves some characters as they are that end a line of YAML.
        false => {
            let quoted = Value::from(text).to_string();
            let escaped = quoted.chars().map(|c| match c {
                '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' => {
                    format!("\\u{:04x}", u32::from(c))
                }
                c => c.to_string(),
            });
            escaped.collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let value = json!({
            "a": { "b": [1, "two", { "c": "x: y", "d": [] , "e": {} }], "f": "0644" },
            "list": [["x"], { "y": "- z" }], "empty": "", "line": "a\nb", "t": true, "yes": "yes",
            "n": null, "é": "\u{85}",
        });
        let text = document(&value);
        let read = yaml::documents(&text).unwrap();
        assert_eq!(read[0].to_json(), value, "{text}");
    }

    proptest! {
        #[test]
        fn any_text_is_read_again(word in any::<String>(), name in ".{1,20}") {
            prop_assume!(name != "<<");
            let value = json!({ "a": [{ name: word }] });
            let text = document(&value);
            let read = yaml::documents(&text).unwrap();
            prop_assert_eq!(read[0].to_json(), value);
        }
    }
}
