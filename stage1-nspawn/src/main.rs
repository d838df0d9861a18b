//! The namespace isolator: runs a pod in Linux namespaces and cgroups.
//!
//! `stage1-nspawn run` and `stage1-nspawn gc` are the entry points of the stage1 contract (see the crate
//! `pod`).

mod environment;
mod gc;
mod init_process;
mod isolator;
mod mapping;
mod network;
mod run;

use std::env;

use stage1::failure::StartFailure;
use stage1::monitor::report_failure;

fn main() {
    let code = match env::args().nth(1).as_deref() {
        Some("run") => run::run(),
        Some("gc") => gc::gc(),
        _ => {
            let usage = "this is an isolator of fairing, which calls it as `stage1-nspawn run|gc`";
            report_failure(None, &StartFailure::other(usage));
            2
        }
    };
    std::process::exit(code);
}
