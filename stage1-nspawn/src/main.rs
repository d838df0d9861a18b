//! The namespace isolator: runs a pod in Linux namespaces and cgroups.
//!
//! `stage1-nspawn run`, `gc` and `copy` are the entry points of the stage1 contract (see the crate
//! `pod`).

#![cfg_attr(not(test), no_main)]

mod isolator;

use pod::entry::ClosedStreams;
use stage1::entry_points;

use crate::isolator::Nspawn;

pod::entry!(run);

/// What the program does. The result is its exit code.
fn run(_: ClosedStreams) -> i32 {
    entry_points::answer("stage1-nspawn", Nspawn::new, true)
}
