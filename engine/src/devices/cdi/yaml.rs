//! YAML, as far as it says what JSON can: files that programs write, and people by hand.

use granit_parser::{Event, Parser, ScalarStyle};
use serde_json::{Map, Value};

/// What is being read: the values of a list, or the members of a map and the name of the next one.
enum Open {
    List(Vec<Value>),
    Map(Map<String, Value>, Option<String>),
}

/// The one document of a text.
///
/// # Errors
/// In which line something is not understood. Nothing refers to other parts of the document: so it is no larger than its
/// text.
pub(super) fn parse(text: &str) -> Result<Value, String> {
    let mut open: Vec<Open> = Vec::new();
    let mut document = None;
    for event in Parser::new_from_str(text) {
        let (event, place) = event.map_err(|error| {
            let line = error.marker().line();
            format!("line {line}: {}", error.info())
        })?;
        let refused = |what: &str| Err(format!("line {}: {what}", place.start.line()));
        let value = match event {
            Event::Scalar(_, _, _, Some(_))
            | Event::SequenceStart(_, _, Some(_))
            | Event::MappingStart(_, _, Some(_)) => return refused("tags are not taken"),
            Event::Alias(_) => return refused("aliases are not taken"),
            Event::SequenceStart(..) => {
                open.push(Open::List(Vec::new()));
                continue;
            }
            Event::MappingStart(..) => {
                open.push(Open::Map(Map::new(), None));
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some(Open::List(values)) => Value::Array(values),
                Some(Open::Map(members, _)) => Value::Object(members),
                None => return refused("it ends what has not begun"),
            },
            Event::Scalar(text, style, ..) => {
                // Names are text, whatever they look like.
                if let Some(Open::Map(members, name @ None)) = open.last_mut() {
                    if members.contains_key(&*text) {
                        return refused(&format!("{text:?} is there twice"));
                    }
                    *name = Some(text.into_owned());
                    continue;
                }
                match style {
                    ScalarStyle::Plain => plain(&text),
                    _ => Value::String(text.into_owned()),
                }
            }
            _ => continue,
        };
        match open.last_mut() {
            Some(Open::List(values)) => values.push(value),
            Some(Open::Map(members, name)) => match name.take() {
                Some(name) => {
                    members.insert(name, value);
                }
                None => return refused("the name of a member is a text"),
            },
            None if document.is_some() => return refused("there is another document"),
            None => document = Some(value),
        }
    }
    document.ok_or_else(|| "it is empty".to_owned())
}

/// What a word without quotes is, in the core schema; octal numbers as Go's libraries take them, too: `0666`.
fn plain(word: &str) -> Value {
    match word {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    let digits = |prefix: &str, radix: u32| {
        let digits = word.strip_prefix(prefix)?;
        let is_plain = digits.chars().all(|c| c.is_digit(radix));
        is_plain.then(|| u64::from_str_radix(digits, radix).ok())?
    };
    let based = digits("0x", 16)
        .or_else(|| digits("0o", 8))
        .or_else(|| digits("0", 8));
    if let Some(number) = based {
        return number.into();
    }
    let looks_so = word
        .trim_start_matches(['-', '+'])
        .starts_with(|c: char| c.is_ascii_digit());
    if looks_so {
        if let Ok(number) = word.parse::<i64>() {
            return number.into();
        }
        if let Ok(number) = word.parse::<f64>() {
            return number.into();
        }
    }
    Value::String(word.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn it_is_read_as_the_json_that_means_the_same() {
        let text = "---\n# made by hand\ncdiVersion: 0.6.0\nkind: \"acme.com/card\"\ndevices:\n- name: \"0\"\n  \
             containerEdits:\n    deviceNodes: [{path: /dev/a, fileMode: 0666, major: 195}]\n    env: [A=1, 'B=x']\n    \
             mounts: ~\n    hooks: null\n    on: yes\n    uid: -1\n    ratio: 1.5\n    text: |\n      two\n      lines\n";
        let expected = json!({
            "cdiVersion": "0.6.0",
            "kind": "acme.com/card",
            "devices": [{ "name": "0", "containerEdits": {
                "deviceNodes": [{ "path": "/dev/a", "fileMode": 438, "major": 195 }],
                "env": ["A=1", "B=x"], "mounts": null, "hooks": null, "on": "yes", "uid": -1, "ratio": 1.5,
                "text": "two\nlines\n",
            } }],
        });
        assert_eq!(parse(text).unwrap(), expected);
        assert_eq!(parse(&expected.to_string()).unwrap(), expected);
    }

    #[test]
    fn what_json_can_not_say_is_refused_with_its_line() {
        for (text, reason) in [
            ("", "it is empty"),
            ("a: &x 1\nb: *x", "line 2: aliases are not taken"),
            ("a: !!binary x", "line 1: tags are not taken"),
            ("a: 1\na: 2", "line 2: \"a\" is there twice"),
            ("a: 1\n---\nb: 2", "another document"),
            ("? [a]\n: 1", "the name of a member is a text"),
            ("a: [1", "line "),
            ("a:\n\tb: 1", "line 2"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
        let deep = "[".repeat(100_000);
        parse(&deep).unwrap_err();
    }

    proptest! {
        #[test]
        fn no_text_is_too_much(text in "[-a-c:&*!|>\\[\\]{}, \n\t'\"#?~0-9]{0,200}") {
            let _ = parse(&text);
        }

        #[test]
        fn each_json_is_read_as_json_has_it(words in proptest::collection::vec("[ -~]{0,12}", 0..6)) {
            let value = json!({ "list": words, "first": words.first() });
            prop_assert_eq!(parse(&value.to_string()).unwrap(), value);
        }
    }
}
