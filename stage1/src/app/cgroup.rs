//! An app's seat in its cgroup: how a process gets in, and how all of them are killed.
//!
//! A process moves itself by writing 0 to `tasks` (version 1), which unlike a write to `cgroup.procs` doesn't
//! wait for the whole machine's forks (an RCU grace period, some milliseconds), or is created there by
//! `CLONE_INTO_CGROUP` (version 2).

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::app::cgroup_view::{CgroupView, HierarchyView};
use rustix::fs::{Mode, OFlags, openat};
use rustix::io::write;
use rustix::process::{Pid, Signal, kill_process};

/// Descriptors that lead to one app's cgroup. They work wherever they have been sent, though no hierarchy is
/// mounted there.
#[derive(Debug)]
pub enum CgroupSeat {
    /// The host has no cgroups.
    None,
    /// Version 1.
    V1 {
        /// What puts a process into each hierarchy.
        tasks: Vec<HierarchyTasks>,
        /// The directory in one hierarchy: that of memory, if there is one.
        directory: OwnedFd,
    },
    /// Version 2.
    V2 {
        /// The directory.
        directory: OwnedFd,
    },
}

/// The way into one hierarchy of version 1.
#[derive(Debug)]
pub struct HierarchyTasks {
    /// Its controllers, with commas between.
    pub controllers: String,
    /// The file `tasks`, for writing.
    pub file: OwnedFd,
}

impl CgroupSeat {
    /// The directory for `CLONE_INTO_CGROUP`.
    pub(crate) fn clone_into(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Self::V2 { directory } => Some(directory.as_fd()),
            Self::None | Self::V1 { .. } => None,
        }
    }

    /// What an app in it is shown of it.
    pub(crate) fn view(&self) -> CgroupView {
        match self {
            Self::None => CgroupView::Nothing,
            Self::V1 { tasks, .. } => CgroupView::V1(
                tasks
                    .iter()
                    .filter_map(|t| HierarchyView::of(&t.controllers))
                    .collect(),
            ),
            Self::V2 { .. } => CgroupView::V2,
        }
    }

    /// The files to which the new process writes 0.
    pub(crate) fn tasks(&self) -> Vec<BorrowedFd<'_>> {
        match self {
            Self::V1 { tasks, .. } => tasks.iter().map(|tasks| tasks.file.as_fd()).collect(),
            Self::None | Self::V2 { .. } => Vec::new(),
        }
    }

    /// SIGKILL to everything that is left of the app. A process that forks meanwhile is found by the
    /// next round; what remains at the end goes with the pod.
    pub(crate) fn kill_all(&self) {
        const ROUNDS: usize = 16;
        let directory = match self {
            Self::None => return,
            Self::V1 { directory, .. } => directory,
            Self::V2 { directory } => {
                if let Some(file) = open(directory, "cgroup.kill", OFlags::WRONLY)
                    && write(&file, b"1").is_ok()
                {
                    return;
                }
                directory
            }
        };
        for _ in 0..ROUNDS {
            if kill_each(&read(directory, "cgroup.procs").unwrap_or_default()) == 0 {
                break;
            }
        }
    }

    /// How many processes of the app the kernel has killed because memory ran out.
    pub(crate) fn oom_kills(&self) -> u64 {
        let text = match self {
            Self::None => None,
            Self::V1 { directory, .. } => read(directory, "memory.oom_control"),
            Self::V2 { directory } => read(directory, "memory.events"),
        };
        text.as_deref().and_then(count_of_oom_kills).unwrap_or(0)
    }
}

/// `None` for a file that this kernel doesn't have.
pub(crate) fn open(directory: &OwnedFd, name: &str, how: OFlags) -> Option<File> {
    let flags = how | OFlags::CLOEXEC;
    openat(directory, name, flags, Mode::empty())
        .ok()
        .map(File::from)
}

fn read(directory: &OwnedFd, name: &str) -> Option<String> {
    let mut text = String::new();
    open(directory, name, OFlags::RDONLY)?
        .read_to_string(&mut text)
        .ok()?;
    Some(text)
}

/// From the text of `memory.oom_control` (version 1) or `memory.events` (version 2).
fn count_of_oom_kills(text: &str) -> Option<u64> {
    let count = text
        .lines()
        .find_map(|line| line.strip_prefix("oom_kill "))?;
    count.trim().parse().ok()
}

fn kill_each(procs: &str) -> usize {
    let pids = procs
        .lines()
        .filter_map(|line| line.parse().ok())
        .filter_map(Pid::from_raw);
    pids.filter(|&pid| kill_process(pid, Signal::KILL).is_ok())
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kills_for_lack_of_memory_are_counted_in_both_versions() {
        let v1 = "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n";
        let v2 = "low 0\nhigh 0\nmax 9\noom 2\noom_kill 1\noom_group_kill 0\n";
        assert_eq!(count_of_oom_kills(v1), Some(3));
        assert_eq!(count_of_oom_kills(v2), Some(1));
        assert_eq!(count_of_oom_kills("oom_kill_disable 0\n"), None);
    }
}
