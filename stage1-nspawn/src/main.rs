//! The namespace isolator: runs a pod in Linux namespaces and cgroups.
//!
//! `stage1-nspawn run`, `gc` and `copy` are the entry points of the stage1 contract (see the crate
//! `pod`).

#![cfg_attr(not(test), no_main)]

mod gc;
mod isolator;
mod run;

use std::env;

use pod::entry::ClosedStreams;
use stage1::failure::StartFailure;
use stage1::host::copy;
use stage1::monitor::report_failure;

pod::entry!(run);

/// What the program does. The result is its exit code.
fn run(_: ClosedStreams) -> i32 {
    match env::args().nth(1).as_deref() {
        Some("run") => run::run(),
        Some("gc") => gc::gc(),
        Some("copy") => copy::copy(env::args().nth(2).as_deref()),
        _ => {
            let usage =
                "this is an isolator of fairing, which calls it as `stage1-nspawn run|gc|copy`";
            report_failure(None, &StartFailure::other(usage));
            2
        }
    }
}
