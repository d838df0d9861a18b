//! What an app has written, on somebody's terminal.
//!
//! A terminal obeys what it is shown: sequences of control characters change its title and its settings, write to the
//! clipboard, overwrite other lines, and make it type answers into whatever reads it next. Of a log it gets text and colours.

/// The longest sequence that sets colours; longer ones are none that a program needs.
const LONGEST: usize = 48;
const RESET: &str = "\u{1b}[0m";

/// Appends text of a line as a terminal may have it: control characters are written out, as `cat -v` does, but for tabs and
/// for sequences that set colours, which end with the line.
pub(crate) fn push_harmless(out: &mut Vec<u8>, text: &[u8]) {
    // Where lines end with CR LF.
    let text = text.strip_suffix(b"\r").unwrap_or(text);
    let mut is_coloured = false;
    for chunk in text.utf8_chunks() {
        let mut rest = chunk.valid();
        while let Some(c) = rest.chars().next() {
            let length = colours(rest).unwrap_or(0);
            if length > 0 {
                is_coloured = true;
            } else {
                push_char(out, c);
            }
            let (done, left) = rest.split_at(length.max(c.len_utf8()));
            if length > 0 {
                out.extend_from_slice(done.as_bytes());
            }
            rest = left;
        }
        if !chunk.invalid().is_empty() {
            push(out, '\u{fffd}');
        }
    }
    if is_coloured {
        out.extend_from_slice(RESET.as_bytes());
    }
}

fn push_char(out: &mut Vec<u8>, c: char) {
    match c {
        '\t' => push(out, c),
        '\0'..='\u{1f}' | '\u{7f}' => {
            // `^@` to `^_`, and `^?`.
            push(out, '^');
            push(out, char::from(c as u8 ^ 0x40));
        }
        c if c.is_control() => push(out, '\u{fffd}'),
        c => push(out, c),
    }
}

fn push(out: &mut Vec<u8>, c: char) {
    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

/// The length of the sequence that sets colours and the like with which a text begins.
fn colours(text: &str) -> Option<usize> {
    let parameters = text.strip_prefix("\u{1b}[")?;
    let end = parameters.find(|c: char| !c.is_ascii_digit() && c != ';' && c != ':')?;
    let is_whole = parameters.get(end..)?.starts_with('m');
    (is_whole && end <= LONGEST).then_some("\u{1b}[".len() + end + "m".len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &[u8]) -> String {
        let mut out = Vec::new();
        push_harmless(&mut out, text);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn text_and_colours_are_shown_as_they_are() {
        for text in ["", "plain", "a\tb", "grün 日本 🦀", "\u{a0}"] {
            assert_eq!(shown(text.as_bytes()), text);
        }
        let coloured = "\u{1b}[1;31merror\u{1b}[m: \u{1b}[38:2::1:2:3mx";
        assert_eq!(shown(coloured.as_bytes()), format!("{coloured}{RESET}"));
        assert_eq!(shown(b"ends with CR\r"), "ends with CR");
    }

    #[test]
    fn what_a_terminal_would_obey_is_written_out() {
        for (text, expected) in [
            // A title, and a question that the terminal answers by typing.
            (&b"\x1b]0;title\x07"[..], "^[]0;title^G"),
            (b"\x1b[21t", "^[[21t"),
            (b"\x1bP$qm\x1b\\", "^[P$qm^[\\"),
            (b"\x1b[6n\x05", "^[[6n^E"),
            (b"\x1b[2J\x1b[1;1H", "^[[2J^[[1;1H"),
            // Over what stands there already.
            (b"a\rforged\x08\x7f", "a^Mforged^H^?"),
            // C1 controls, as characters and as bytes.
            (
                "\u{9b}2J\u{9d}0;x\u{9c}".as_bytes(),
                "\u{fffd}2J\u{fffd}0;x\u{fffd}",
            ),
            (b"\x9b2J", "\u{fffd}2J"),
            (b"\x80\xc2", "\u{fffd}\u{fffd}"),
            (b"\0", "^@"),
            // Nothing that only begins like a colour.
            (b"\x1b[31", "^[[31"),
            (b"\x1b[>4;2m", "^[[>4;2m"),
            (b"\x1b[31\x1b[2Jm", "^[[31^[[2Jm"),
        ] {
            assert_eq!(shown(text), expected, "{text:?}");
        }
        let long = format!("\u{1b}[{}m", "1;".repeat(LONGEST));
        assert!(shown(long.as_bytes()).starts_with("^["));
    }
}
