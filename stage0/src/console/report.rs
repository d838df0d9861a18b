//! Telling why a command failed.

use super::output;
use crate::wording::failure::{Failure, one_line};

/// Prints `fairing: …` on standard error, and advice below it.
pub(crate) fn print(failure: &Failure) {
    match failure {
        Failure::Printed { .. } => {}
        // Usage and tips, as the parser words them.
        Failure::Usage(text) => output::error(&format!("fairing: {}\n", text.trim_end())),
        _ => {
            let mut text = format!("fairing: {}\n", failure.line());
            for line in failure.advice() {
                text.push_str("  ");
                text.push_str(&one_line(&line));
                text.push('\n');
            }
            output::error(&text);
            output::debug(|| one_line(&format!("{failure:?}")));
        }
    }
}
