//! The isolator of virtual machines: runs a pod in a machine of its own, whose first program is pod init.
//!
//! `stage1-kvm run` and `stage1-kvm gc` are the entry points of the stage1 contract (see the crate `pod`).

#![cfg_attr(not(test), no_main)]

mod boot_files;
mod disks;
mod gc;
mod initramfs;
mod interfaces;
mod isolator;
mod kernel;
mod launcher;
mod machine;
mod output;
mod qemu;
mod run;
mod size;
mod sys;
mod tsc;
mod vmm;

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
            let usage = "this is an isolator of fairing, which calls it as `stage1-kvm run|gc`";
            report_failure(None, &StartFailure::other(usage));
            2
        }
    }
}
