//! An app's seat in its cgroup: how a process gets in, and how all of them are killed.
//!
//! A process moves itself by writing 0 to `tasks` (version 1), which unlike a write to `cgroup.procs` doesn't
//! wait for the whole machine's forks (an RCU grace period, some milliseconds), or is created there by
//! `CLONE_INTO_CGROUP` (version 2).

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags, openat};
use rustix::io::{pread, write};
use rustix::process::{Pid, Signal, kill_process};

use crate::failure::StartFailure;
use crate::protocol::CgroupFds;

/// Descriptors that lead to one app's cgroup.
#[derive(Debug)]
pub(crate) enum CgroupSeat {
    None,
    V1 { tasks: Vec<OwnedFd>, procs: OwnedFd },
    V2 { folder: OwnedFd },
}

impl CgroupSeat {
    /// Takes the descriptors that came with the app.
    pub(crate) fn new(
        kind: CgroupFds,
        mut fds: impl Iterator<Item = OwnedFd>,
    ) -> Result<Self, StartFailure> {
        let missing = || StartFailure::other("a cgroup descriptor is missing");
        Ok(match kind {
            CgroupFds::None => Self::None,
            CgroupFds::V1 { hierarchies } => {
                let tasks: Vec<OwnedFd> = fds.by_ref().take(hierarchies).collect();
                Self::V1 {
                    tasks,
                    procs: fds.next().ok_or_else(missing)?,
                }
            }
            CgroupFds::V2 => Self::V2 {
                folder: fds.next().ok_or_else(missing)?,
            },
        })
    }

    /// The folder for `CLONE_INTO_CGROUP`.
    pub(crate) fn clone_into(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Self::V2 { folder } => Some(folder.as_fd()),
            Self::None | Self::V1 { .. } => None,
        }
    }

    /// The files to which the new process writes 0.
    pub(crate) fn tasks(&self) -> Vec<BorrowedFd<'_>> {
        match self {
            Self::V1 { tasks, .. } => tasks.iter().map(AsFd::as_fd).collect(),
            Self::None | Self::V2 { .. } => Vec::new(),
        }
    }

    /// SIGKILL to everything that is left of the app. A process that forks meanwhile is found by the
    /// next round; what remains at the end goes with the pod.
    pub(crate) fn kill_all(&self) {
        const ROUNDS: usize = 16;
        match self {
            Self::None => {}
            Self::V2 { folder } => {
                if let Ok(file) = openat(
                    folder,
                    "cgroup.kill",
                    OFlags::WRONLY | OFlags::CLOEXEC,
                    Mode::empty(),
                ) {
                    let _ = write(&file, b"1");
                } else if let Ok(file) = openat(
                    folder,
                    "cgroup.procs",
                    OFlags::RDONLY | OFlags::CLOEXEC,
                    Mode::empty(),
                ) {
                    let mut text = String::new();
                    if File::from(file).read_to_string(&mut text).is_ok() {
                        kill_each(&text);
                    }
                }
            }
            Self::V1 { procs, .. } => {
                let mut buffer = [0; 4096];
                for _ in 0..ROUNDS {
                    let length = pread(procs, &mut buffer, 0).unwrap_or(0);
                    let text = buffer
                        .get(..length)
                        .and_then(|bytes| std::str::from_utf8(bytes).ok());
                    if kill_each(text.unwrap_or_default()) == 0 {
                        break;
                    }
                }
            }
        }
    }
}

fn kill_each(procs: &str) -> usize {
    let pids = procs
        .lines()
        .filter_map(|line| line.parse().ok())
        .filter_map(Pid::from_raw);
    pids.filter(|&pid| kill_process(pid, Signal::KILL).is_ok())
        .count()
}
