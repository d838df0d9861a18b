//! Text of unknown origin, made fit for one line of a message.

use std::fmt;
use std::path::Path;

/// Longest text that a message shows, in characters.
const MAX_SHOWN: usize = 160;

/// Shows a text escaped and cut, so that a hostile one can neither break nor flood a message.
pub(crate) fn quoted(text: &str) -> String {
    format!("{:?}", cut(text))
}

/// Like [`quoted`], without the quotes: for texts that are plain in all honest cases.
pub(crate) fn plain(text: &str) -> String {
    cut(text).chars().flat_map(escape_control).collect()
}

/// Like [`plain`], for what is a word in all honest cases.
pub(crate) fn short(text: &str) -> String {
    /// Longest label of DNS, in characters.
    const MAX: usize = 63;
    let cut: String = text.chars().take(MAX).collect();
    let end = if cut.len() < text.len() { "..." } else { "" };
    format!("{}{end}", plain(&cut))
}

/// The message of an error, cut and in one line.
pub(crate) fn message(error: &impl fmt::Display) -> String {
    plain(&error.to_string())
}

/// A path in one line.
pub(crate) fn path(path: &Path) -> String {
    path.to_string_lossy()
        .chars()
        .flat_map(escape_control)
        .collect()
}

fn escape_control(c: char) -> impl Iterator<Item = char> {
    let (escaped, kept) = if c.is_control() {
        (Some(c.escape_default()), None)
    } else {
        (None, Some(c))
    };
    escaped.into_iter().flatten().chain(kept)
}

fn cut(text: &str) -> String {
    let mut cut: String = text.chars().take(MAX_SHOWN).collect();
    if cut.len() < text.len() {
        cut.push_str("...");
    }
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_stays_one_short_line() {
        let hostile = "\u{1b}[2J\n".repeat(1000);
        for shown in [quoted(&hostile), plain(&hostile), message(&hostile)] {
            assert!(
                shown.len() < 2000 && !shown.contains(['\n', '\u{1b}']),
                "{shown}"
            );
            assert!(shown.contains("..."), "{shown}");
        }
    }

    #[test]
    fn honest_text_is_left_alone() {
        assert_eq!(
            plain("registry.example.com:5000/team/ä"),
            "registry.example.com:5000/team/ä"
        );
        assert_eq!(path(Path::new("/etc/a b")), "/etc/a b");
        assert_eq!(quoted("a\"b"), r#""a\"b""#);
    }

    #[test]
    fn a_text_is_shown_whole_up_to_its_longest() {
        let text = |length: usize| "ä".repeat(length);
        assert_eq!(plain(&text(MAX_SHOWN)), text(MAX_SHOWN));
        assert_eq!(plain(&text(MAX_SHOWN + 1)), text(MAX_SHOWN) + "...");
        assert_eq!(path(Path::new("/a\nb\u{1b}")), "/a\\nb\\u{1b}");
    }
}
