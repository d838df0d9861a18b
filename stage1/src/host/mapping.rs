//! How pod init's user namespace gets its users and groups: by the monitor, while pod init's process waits.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::fd::BorrowedFd;

use crate::failure::StartFailure;
use crate::pod_ids::PodIds;
use pod::manifest::{IdMapping, UserNamespace};
use rustix::fs::{Gid, Uid};
use rustix::io::Errno;
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

use super::gate::Gate;

/// The users and groups that are to be, and the gate at which pod init's process waits for them.
#[derive(Debug)]
pub(super) struct Mapping<'a> {
    ids: &'a UserNamespace,
    done: Gate,
}

/// Becomes root of the pod. For the process between clone and exec, once there are users and groups.
pub(super) fn become_root() -> Result<(), Errno> {
    set_thread_groups(&[])?;
    set_thread_res_gid(Gid::ROOT, Gid::ROOT, Gid::ROOT)?;
    set_thread_res_uid(Uid::ROOT, Uid::ROOT, Uid::ROOT)
}

impl<'a> Mapping<'a> {
    pub(super) fn new(ids: &'a UserNamespace) -> Result<Self, StartFailure> {
        let done = Gate::new().map_err(StartFailure::os("prepare pod init's users"))?;
        Ok(Self { ids, done })
    }

    /// Waits for the users and groups. For the process between clone and exec.
    pub(super) fn wait(&self, monitor: BorrowedFd<'_>) -> Result<(), Errno> {
        self.done.wait(monitor)?.map(drop).ok_or(Errno::CANCELED)
    }

    /// Gives the user namespace of that process its users and groups, and lets the process go on.
    pub(super) fn write(self, pid: i32) -> Result<PodIds, StartFailure> {
        write_map(pid, "gid_map", &self.ids.gid_mappings)?;
        write_map(pid, "uid_map", &self.ids.uid_mappings)?;
        self.done
            .tell(1)
            .map_err(StartFailure::os("start pod init"))?;
        let path = format!("/proc/{pid}/ns/user");
        let namespace = File::open(&path).map_err(StartFailure::os(format_args!("open {path}")))?;
        PodIds::new(namespace.into(), self.ids.clone())
            .ok_or_else(|| StartFailure::other("the pod's user namespace has no root"))
    }
}

/// The kernel takes all of a file by one write.
fn write_map(pid: i32, file: &str, mappings: &[IdMapping]) -> Result<(), StartFailure> {
    let lines: Vec<String> = mappings.iter().map(ToString::to_string).collect();
    let text = lines.join("\n");
    let path = format!("/proc/{pid}/{file}");
    let written = OpenOptions::new().write(true).open(&path);
    written
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(StartFailure::os(format_args!(
            "write `{}` to {path}",
            lines.join(", ")
        )))
}
