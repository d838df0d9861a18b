//! What the engine has to say while it works: lines for the journal.

use engine::observer::{Observer, Warning};

/// Writes warnings to standard error, which the journal keeps.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Journal;

impl Observer for Journal {
    fn warning(&self, warning: Warning) {
        line(&format!("warning: {warning}"));
    }
}

/// Writes a line. One that can't be written is lost.
pub(crate) fn line(text: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr().lock(), "fairing-cri: {text}");
}
