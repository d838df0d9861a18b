//! The isolator that isolates nothing: runs one app as a part of the host, in a root directory of its own.
//!
//! `stage1-fly run`, `gc` and `copy` are the entry points of the stage1 contract (see the crate `pod`).

#![cfg_attr(not(test), no_main)]

mod host_mounts;
mod isolator;

use pod::entry::ClosedStreams;
use stage1::entry_points;

use crate::isolator::Fly;

pod::entry!(run);

/// What the program does. The result is its exit code.
fn run(_: ClosedStreams) -> i32 {
    entry_points::answer("stage1-fly", Fly::new, true)
}
