//! `fairing`: resolves, fetches, verifies and prepares, then becomes the isolator (stage1).
//!
//! One file for each subcommand in `command/`. What they do is in the crate `engine`; here is how it is asked for and
//! told.

mod arguments;
mod command;
mod console;
mod context;
mod copy;
mod keys;
mod start;
mod sys;
mod terminal;
mod wording;

use std::process::ExitCode;

fn main() -> ExitCode {
    if let Err(limit) = sys::require_stack() {
        return console::report::small_stack(limit);
    }
    sys::settle_signals();
    sys::settle_outputs();
    match command::dispatch(std::env::args_os().collect()) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            console::report::print(&failure);
            ExitCode::from(failure.exit_code())
        }
    }
}
