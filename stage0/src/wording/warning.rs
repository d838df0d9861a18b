//! Warnings, with the flags that they are about.

use engine::observer::Warning;

use super::failure::{Failure, one_line};

/// A warning in one line.
pub(crate) fn text(warning: &Warning) -> String {
    match warning {
        Warning::UnaskedNameServers(_) => format!("--dns: {warning}"),
        Warning::Fetch(note) => one_line(note),
        Warning::Monitor(error) => Failure::line_of(error),
        warning => warning.to_string(),
    }
}
