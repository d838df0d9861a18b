//! `fairing`: resolves, fetches, verifies and prepares, then becomes the isolator (stage1).
//!
//! One file for each subcommand in `command/`. What they do is in the crate `engine`; here is how it is asked for and
//! told.

#![cfg_attr(not(test), no_main)]

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

use pod::entry::ClosedStreams;

pod::entry!(run);

/// What the program does. The result is its exit code.
fn run(closed: ClosedStreams) -> u8 {
    sys::settle_outputs(closed);
    sys::settle_signals();
    if let Err(limit) = sys::require_stack() {
        return console::report::small_stack(limit);
    }
    command::dispatch(std::env::args_os().collect()).unwrap_or_else(|failure| {
        console::report::print(&failure);
        start::service::failed(&failure.line(), failure.exit_code());
        failure.exit_code()
    })
}
