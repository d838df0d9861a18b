//! The namespace isolator: runs a pod in Linux namespaces and cgroups.
//!
//! `stage1-nspawn run` and `stage1-nspawn gc` are the entry points of the stage1 contract (see the crate
//! `pod`).

#![cfg_attr(not(test), no_main)]

mod gate;
mod gc;
mod init_process;
mod isolator;
mod mapping;
mod network_namespace;
mod run;

use std::env;

use pod::entry::ClosedStreams;
use stage1::failure::StartFailure;
use stage1::monitor::report_failure;

pod::entry!(run);

/// What the program does. The result is its exit code.
fn run(_: ClosedStreams) -> i32 {
    match env::args().nth(1).as_deref() {
        Some("run") => run::run(),
        Some("gc") => gc::gc(),
        _ => {
            let usage = "this is an isolator of fairing, which calls it as `stage1-nspawn run|gc`";
            report_failure(None, &StartFailure::other(usage));
            2
        }
    }
}
