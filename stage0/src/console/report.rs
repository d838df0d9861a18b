//! Telling why a command failed.

use super::output;
use crate::sys::STACK_MIN;
use crate::wording::exit_code;
use crate::wording::failure::{Failure, one_line};
use crate::wording::typed::as_typed;

/// Prints that this process may use too little stack for anything; gives the exit code.
pub(crate) fn small_stack(limit: u64) -> u8 {
    let (limit, least) = (limit >> 10, STACK_MIN >> 10);
    output::error(&format!(
        "fairing: the stack is limited to {limit} KiB, and {least} KiB are needed; see ulimit -s\n"
    ));
    exit_code::OTHER
}

/// Prints `fairing: …` on standard error, and advice below it.
pub(crate) fn print(failure: &Failure) {
    match failure {
        Failure::Printed { .. } => {}
        // Usage and tips, as the parser words them, and what is wrong with files.
        Failure::Usage(text) => output::failure(text),
        _ => {
            output::failure(&as_typed(&failure.line()));
            for line in failure.advice() {
                output::error(&format!("  {}\n", one_line(&as_typed(&line))));
            }
            output::debug(|| one_line(&format!("{failure:?}")));
        }
    }
}
