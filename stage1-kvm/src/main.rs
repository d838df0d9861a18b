//! The isolator of virtual machines: runs a pod in a machine of its own, whose first program is pod init.
//!
//! `stage1-kvm run`, `gc` and `copy` are the entry points of the stage1 contract (see the crate `pod`).

#![cfg_attr(not(test), no_main)]

mod boot_files;
mod booting;
mod disks;
mod file_server;
mod initramfs;
mod interfaces;
mod isolator;
mod kept_directory;
mod kernel;
mod kernel_filesystem;
mod launcher;
mod limits;
mod machine;
mod output;
mod patience;
mod qemu;
mod qmp;
mod shared_files;
mod size;
mod stillness;
mod sys;
mod template;
mod tsc;
mod virtiofsd;
mod vmm;

use pod::entry::ClosedStreams;
use stage1::entry_points;

use crate::isolator::Kvm;

pod::entry!(run);

/// What the program does. The result is its exit code.
fn run(_: ClosedStreams) -> i32 {
    entry_points::answer("stage1-kvm", Kvm::new, true)
}
