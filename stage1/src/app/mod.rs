//! Putting one app together.
//!
//! Everything that can be decided or built beforehand is built by pod init as data and as mounts that
//! are attached to nothing (`rootfs`, `devices`, `accounts`, `command_line`). The process that
//! becomes the app (`child`) then only makes system calls.

mod among_processes;
pub mod at_rest;
pub(crate) mod attach;
pub(crate) mod attempts;
pub mod cgroup;
pub(crate) mod cgroup_view;
pub(crate) mod child;
pub(crate) mod command;
pub(crate) mod command_line;
pub mod confinement;
mod credentials;
mod descriptor_limit;
pub(crate) mod detached;
pub mod device_files;
pub(crate) mod devices;
mod exec_label;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
pub(crate) mod guards;
pub(crate) mod launch;
pub(crate) mod limits;
pub(crate) mod memory_watch;
pub(crate) mod report;
pub(crate) mod resolve;
pub(crate) mod rootfs;
pub(crate) mod running_app;
pub(crate) mod sockets;
pub(crate) mod stdio;
pub(crate) mod step;
pub(crate) mod volume_mount;
