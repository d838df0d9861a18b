//! How pod init's user namespace gets its users and groups: by the monitor, while pod init's process waits.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};

use nix::sched::{CloneFlags, unshare};
use pod::manifest::{IdMapping, UserNamespace};
use rustix::fs::{Gid, Uid};
use rustix::io::{Errno, read, retry_on_intr, write};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};
use stage1::failure::StartFailure;
use stage1::pod_ids::PodIds;
use stage1::sys::ChildProcess;

/// The users and groups that are to be, and the pipe at which pod init's process waits for them.
#[derive(Debug)]
pub(crate) struct Mapping<'a> {
    ids: &'a UserNamespace,
    waiting: OwnedFd,
    done: OwnedFd,
}

impl<'a> Mapping<'a> {
    pub(crate) fn new(ids: &'a UserNamespace) -> Result<Self, StartFailure> {
        let (waiting, done) =
            pipe_with(PipeFlags::CLOEXEC).map_err(StartFailure::os("make a pipe"))?;
        Ok(Self { ids, waiting, done })
    }

    /// Waits for the users and groups, becomes root of them, and makes an IPC namespace. For the process between clone and
    /// exec.
    pub(crate) fn become_root(&self, process: &ChildProcess) -> Result<(), Errno> {
        // So that the end comes if the monitor dies.
        process.close(self.done.as_fd())?;
        let mut byte = [0];
        if retry_on_intr(|| read(&self.waiting, &mut byte))? == 0 {
            return Err(Errno::CANCELED);
        }
        set_thread_groups(&[])?;
        set_thread_res_gid(Gid::ROOT, Gid::ROOT, Gid::ROOT)?;
        set_thread_res_uid(Uid::ROOT, Uid::ROOT, Uid::ROOT)?;
        unshare(CloneFlags::CLONE_NEWIPC).map_err(|errno| Errno::from_raw_os_error(errno as i32))
    }

    /// Gives the user namespace of that process its users and groups, and lets the process go on.
    pub(crate) fn write(self, pid: i32) -> Result<PodIds, StartFailure> {
        write_map(pid, "gid_map", &self.ids.gid_mappings)?;
        write_map(pid, "uid_map", &self.ids.uid_mappings)?;
        let path = format!("/proc/{pid}/ns/user");
        let namespace = File::open(&path).map_err(StartFailure::os(format_args!("open {path}")))?;
        write(&self.done, b"1").map_err(StartFailure::os("start pod init"))?;
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
