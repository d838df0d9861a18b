//! Asking a person for a line on the terminal.

use std::io::{self, IsTerminal, Read};

use crate::console::output;
use crate::terminal::raw_mode::RawMode;
use crate::wording::failure::Failure;

/// Longest answer, in bytes.
const MAX: usize = 16 << 10;

/// What a key does to the answer.
enum Key {
    More,
    End,
    GiveUp,
}

/// Whether a person is there to answer.
pub(crate) fn somebody_is_there() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks for a line; what is typed is not shown if it is `secret`.
///
/// # Errors
/// If the person gives up, or the terminal refuses.
pub(crate) fn ask(prompt: &str, secret: bool) -> Result<String, Failure> {
    // Raw, so that the terminal is put back whatever key ends this; and before the question, so that
    // no key of an answer comes too early.
    let raw = RawMode::enter()?;
    output::error(prompt);
    let result = read(&mut io::stdin().lock(), |text| {
        if !secret {
            output::error(text);
        }
    });
    drop(raw);
    output::error("\n");
    result
}

/// Asks a yes-or-no question; anything but yes is no.
///
/// # Errors
/// As [`ask`].
pub(crate) fn confirm(prompt: &str) -> Result<bool, Failure> {
    let answer = ask(&format!("{prompt} (yes/no) "), false)?;
    Ok(matches!(
        answer.trim().to_ascii_lowercase().as_str(),
        "yes" | "y"
    ))
}

/// Reads keys up to the end of the line; `show` is told what the screen should show.
fn read(keys: &mut impl Read, show: impl Fn(&str)) -> Result<String, Failure> {
    let mut answer = Vec::new();
    loop {
        let mut key = [0];
        let count = match keys.read(&mut key) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            other => other.map_err(Failure::io("read", "the answer"))?,
        };
        let key = match count {
            0 => Key::GiveUp,
            _ => press(&mut answer, key[0], &show),
        };
        match key {
            Key::More if answer.len() <= MAX => {}
            Key::More => return Err(Failure::Other("the answer is too long".to_owned())),
            Key::End => {
                return String::from_utf8(answer)
                    .map_err(|_| Failure::Other("the answer is not UTF-8 text".to_owned()));
            }
            Key::GiveUp => return Err(Failure::Other("aborted".to_owned())),
        }
    }
}

fn press(answer: &mut Vec<u8>, key: u8, show: &impl Fn(&str)) -> Key {
    match key {
        b'\r' | b'\n' => return Key::End,
        // Ctrl-C, Ctrl-D, Ctrl-\.
        0x03 | 0x04 | 0x1c => return Key::GiveUp,
        // Backspace, and Ctrl-U for all of it.
        0x08 | 0x7f | 0x15 => {
            while let Some(byte) = answer.pop() {
                // The bytes that go on with a character go with it.
                if byte & 0xc0 != 0x80 {
                    show("\u{8} \u{8}");
                    if key != 0x15 {
                        break;
                    }
                }
            }
        }
        0..0x20 => {}
        byte => {
            answer.push(byte);
            // Only whole characters, which a terminal can show.
            if let Some(character) = last_character(answer) {
                show(character);
            }
        }
    }
    Key::More
}

fn last_character(answer: &[u8]) -> Option<&str> {
    let start = answer.iter().rposition(|byte| byte & 0xc0 != 0x80)?;
    std::str::from_utf8(answer.get(start..)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    fn typed(keys: &[u8]) -> (Option<String>, String) {
        let screen = RefCell::new(String::new());
        let answer = read(&mut &*keys, |text| screen.borrow_mut().push_str(text));
        (answer.ok(), screen.into_inner())
    }

    #[test]
    fn lines_are_edited_as_on_a_terminal() {
        assert_eq!(typed(b"abc\r").0.as_deref(), Some("abc"));
        assert_eq!(typed(b"abd\x7fc\n").0.as_deref(), Some("abc"));
        assert_eq!(typed("é\u{7f}x\r".as_bytes()).0.as_deref(), Some("x"));
        assert_eq!(typed(b"wrong\x15right\r").0.as_deref(), Some("right"));
        assert_eq!(typed(b"\x7f\x7fa\x1bb\r").0.as_deref(), Some("ab"));
        assert_eq!(typed("aé\u{7f}\r".as_bytes()).1, "aé\u{8} \u{8}");
    }

    #[test]
    fn giving_up_is_no_answer() {
        for keys in [&b"abc\x03"[..], b"\x04", b"abc", b""] {
            assert_eq!(typed(keys).0, None);
        }
        assert_eq!(typed(&[b'a'; MAX + 10]).0, None);
        assert_eq!(typed(b"\xff\r").0, None);
    }
}
