//! Texts that are no Unicode, as Go takes them: each byte in a string that is not UTF-8, and each half of
//! a pair of surrogates without the other, counts as U+FFFD.

use std::borrow::Cow;

const REPLACEMENT: &[u8] = "\u{fffd}".as_bytes();
const ESCAPED_REPLACEMENT: &[u8] = b"\\ufffd";

/// A document with such texts replaced. Elsewhere than in strings such bytes stay, and refuse it.
pub(super) fn repaired(document: &[u8]) -> Cow<'_, [u8]> {
    let is_text = std::str::from_utf8(document).is_ok();
    if is_text && !has_surrogates(document) {
        return Cow::Borrowed(document);
    }
    let mut repaired = Vec::with_capacity(document.len());
    let mut rest = document;
    let mut in_string = false;
    while let Some((first, after)) = rest.split_first() {
        let mut length = 1;
        match first {
            b'"' => in_string = !in_string,
            b'\\' if in_string => {
                length = escape_length(rest);
                if length == 6 && half_of_pair(rest).is_some() {
                    repaired.extend_from_slice(ESCAPED_REPLACEMENT);
                    rest = rest.get(length..).unwrap_or_default();
                    continue;
                }
            }
            0x80.. if in_string => {
                length = character_length(rest);
                if length == 0 {
                    repaired.extend_from_slice(REPLACEMENT);
                    rest = after;
                    continue;
                }
            }
            _ => {}
        }
        let (taken, behind) = rest.split_at_checked(length).unwrap_or((rest, &[]));
        repaired.extend_from_slice(taken);
        rest = behind;
    }
    Cow::Owned(repaired)
}

/// Whether anything may be an escaped surrogate.
fn has_surrogates(document: &[u8]) -> bool {
    document
        .windows(3)
        .any(|bytes| matches!(bytes, [b'\\', b'u', b'd' | b'D']))
}

/// How many bytes an escape has; of a whole pair of surrogates all.
fn escape_length(text: &[u8]) -> usize {
    match (half_of_pair(text), text.get(6..).and_then(half_of_pair)) {
        (Some(Half::High), Some(Half::Low)) => 12,
        (Some(_), _) => 6,
        // Whatever else it is, what follows is not the end of the string.
        (None, _) => 2,
    }
}

#[derive(Clone, Copy)]
enum Half {
    High,
    Low,
}

/// Which half of a pair the escape is that a text begins with, if it is one.
fn half_of_pair(text: &[u8]) -> Option<Half> {
    let hex = text.strip_prefix(b"\\u")?.get(..4)?;
    if !hex.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    match hex {
        [b'd' | b'D', b'8' | b'9' | b'a' | b'b' | b'A' | b'B', ..] => Some(Half::High),
        [b'd' | b'D', b'c'..=b'f' | b'C'..=b'F', ..] => Some(Half::Low),
        _ => None,
    }
}

/// How many bytes the character has that a text begins with; 0 if they are none.
fn character_length(text: &[u8]) -> usize {
    (2..=4)
        .find(|length| {
            text.get(..*length)
                .is_some_and(|bytes| std::str::from_utf8(bytes).is_ok())
        })
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    /// The text that a string in a document is read as.
    fn text(string: &[u8]) -> Result<String, String> {
        let document = [b"[1, \"", string, b"\"]"].concat();
        let read: Result<Value, _> = super::super::from_slice(&document);
        let list = read.map_err(|error| error.to_string())?;
        Ok(list[1].as_str().unwrap().to_owned())
    }

    #[test]
    fn half_a_pair_of_surrogates_counts_as_the_replacement_character() {
        for (string, expected) in [
            (&br"a\ud800b"[..], "a\u{fffd}b"),
            (br"\uDC00", "\u{fffd}"),
            (br"\ud83d\ude00", "\u{1f600}"),
            (br"\ud83d\ud83d\ude00", "\u{fffd}\u{1f600}"),
            (br"\ude00\ud83d", "\u{fffd}\u{fffd}"),
            (br"\ud800\n", "\u{fffd}\n"),
            (br"\ud800A", "\u{fffd}A"),
            (br"\\ud800", r"\ud800"),
            (br"\\\ud800\\", "\\\u{fffd}\\"),
            (br#"\"\ud800\""#, "\"\u{fffd}\""),
        ] {
            let shown = String::from_utf8_lossy(string);
            assert_eq!(text(string).as_deref(), Ok(expected), "{shown}");
        }
        for bad in [&br"\ud8"[..], br"\ud8zz", br"\u", br"\x"] {
            let error = text(bad).unwrap_err();
            assert!(error.contains("escape") || error.contains("EOF"), "{error}");
        }
    }

    #[test]
    fn each_byte_that_is_no_utf_8_counts_as_the_replacement_character() {
        for (string, expected) in [
            (&b"a\xffb"[..], "a\u{fffd}b"),
            (b"\xe9t\xe9", "\u{fffd}t\u{fffd}"),
            ("gr\u{fc}n \u{1f600}".as_bytes(), "gr\u{fc}n \u{1f600}"),
            // A character that is cut off, a surrogate, one that is too long.
            (b"\xf0\x9f\x98", "\u{fffd}\u{fffd}\u{fffd}"),
            (b"\xed\xa0\x80", "\u{fffd}\u{fffd}\u{fffd}"),
            (b"\xc0\xaf", "\u{fffd}\u{fffd}"),
            (b"\xff\\\"\xff", "\u{fffd}\"\u{fffd}"),
        ] {
            assert_eq!(text(string).as_deref(), Ok(expected), "{string:?}");
        }
    }

    #[test]
    fn what_is_no_text_stays_as_it_is_and_elsewhere_than_in_strings_it_refuses() {
        let plain = br#"{"a":"\u00e9"}"#;
        assert!(matches!(repaired(plain), Cow::Borrowed(bytes) if bytes == plain));
        for bad in [&b"\xff[1]"[..], b"[1\xff]", b"[\"a\"]\xff"] {
            let error = super::super::from_slice::<Value>(bad).unwrap_err();
            assert!(error.is_syntax(), "{error}");
        }
    }

    #[test]
    fn names_of_members_are_repaired_too_and_so_may_be_one() {
        let twice = br#"{"a\ud800":1,"a\udfff":2}"#;
        type Map = std::collections::BTreeMap<String, u8>;
        let error = super::super::from_slice::<Map>(twice).unwrap_err();
        assert!(error.to_string().contains("there twice"), "{error}");
    }
}
