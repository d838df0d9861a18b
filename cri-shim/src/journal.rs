//! Lines for the journal: what the engine has to say while it works, and what the shim says itself.

use std::os::fd::AsFd;
use std::sync::OnceLock;

use engine::observer::{Observer, Warning};
use nix::sys::stat::fstat;

/// Longest line, in bytes: what others have sent may be part of it.
const LINE_MAX: usize = 4096;

/// How much a line matters, as sd-daemon(3) has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Priority {
    /// Something has failed.
    Error = 3,
    /// Somebody should know.
    Warning = 4,
}

/// Writes warnings to standard error, which the journal keeps.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Journal;

impl Observer for Journal {
    fn warning(&self, warning: Warning) {
        line(Priority::Warning, &format!("warning: {warning}"));
    }
}

/// Writes a line. One that can't be written is lost.
pub(crate) fn line(priority: Priority, text: &str) {
    use std::io::Write;
    let text = plain(text, LINE_MAX);
    let mut output = std::io::stderr().lock();
    let _ = match is_journal() {
        true => writeln!(output, "<{}>fairing-cri: {text}", priority as u8),
        false => writeln!(output, "fairing-cri: {text}"),
    };
}

/// Whether standard error is the journal's, as the service manager says: the device and inode of what leads there
/// (systemd.exec(5)). Elsewhere, a priority would be a part of the text.
fn is_journal() -> bool {
    static IS_JOURNAL: OnceLock<bool> = OnceLock::new();
    *IS_JOURNAL.get_or_init(|| {
        let said = std::env::var("JOURNAL_STREAM").unwrap_or_default();
        let output = fstat(std::io::stderr().as_fd());
        output.is_ok_and(|file| said == format!("{}:{}", file.st_dev, file.st_ino))
    })
}

/// A text as a line of at most so many bytes, without what would end it, or what terminals don't show as it is.
pub(crate) fn plain(text: &str, most: usize) -> String {
    const CUT: &str = "…";
    let is_unseen =
        |c: char| c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let mut line: String = text
        .chars()
        .map(|c| if is_unseen(c) { ' ' } else { c })
        .collect();
    if line.len() > most {
        line.truncate(line.floor_char_boundary(most.saturating_sub(CUT.len())));
        line.push_str(CUT);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_and_not_too_long() {
        let hostile = "a\n<0>fairing-cri: b\r\u{1b}[2J\u{85}\u{2028}\u{202e}c\0";
        assert_eq!(plain(hostile, 100), "a <0>fairing-cri: b  [2J   c ");
        let long = plain(&"ä".repeat(100), 50);
        assert!(long.len() <= 50 && long.ends_with("ä…"), "{long}");
        assert_eq!(plain("as it is", 8), "as it is");
    }
}
