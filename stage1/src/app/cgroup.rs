//! An app's seat in its cgroup: how a process gets in, and how all of them are killed.
//!
//! A process moves itself by writing 0 to `tasks` (version 1), which unlike a write to `cgroup.procs` doesn't
//! wait for the whole machine's forks (an RCU grace period, some milliseconds), or is created there by
//! `CLONE_INTO_CGROUP` (version 2).

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::app::cgroup_view::{CgroupView, HierarchyView};
use crate::cgroup::numbers;
use rustix::fs::{Mode, OFlags, openat};
use rustix::io::write;
use rustix::process::{Pid, Signal, kill_process};

/// How often the processes of version 1 are listed in one go.
const ROUNDS: usize = 4;

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
        /// The file `pids.max`, for writing, where processes can be counted.
        pids_max: Option<OwnedFd>,
        /// The file `cgroup.event_control` in the same one, for writing, for a pod init that can't open it: in a user
        /// namespace.
        event_control: Option<OwnedFd>,
    },
    /// Version 2.
    V2 {
        /// The directory.
        directory: OwnedFd,
        /// The file `cgroup.procs`, for writing, for a pod init that the directory doesn't let in: in a user namespace.
        procs: Option<OwnedFd>,
        /// The file `cgroup.kill`, for writing, for the same.
        kill: Option<OwnedFd>,
        /// Where processes go below it, in an app that manages cgroups of its own.
        leaves: Option<Leaves>,
    },
}

/// The cgroups below that of an app whose program is a systemd. The limits are above both, so that nothing in the app can
/// change them.
#[derive(Debug)]
pub struct Leaves {
    /// The one that the app may do with what it likes: it holds no processes once systemd has made others below it.
    pub services: Leaf,
    /// The one for commands that enter the app.
    pub commands: Leaf,
}

/// One of them.
#[derive(Debug)]
pub struct Leaf {
    /// The directory.
    pub directory: OwnedFd,
    /// The file `cgroup.procs`, for writing, for a pod init that the directory doesn't let in.
    pub procs: Option<OwnedFd>,
}

/// What a new process is to be in its app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seated {
    /// Its main process.
    Main,
    /// A command that enters.
    Command,
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
    /// The directory that such a process goes into, of version 2, and its `cgroup.procs`.
    fn place(&self, who: Seated) -> Option<(&OwnedFd, Option<&OwnedFd>)> {
        let Self::V2 {
            directory,
            procs,
            leaves,
            ..
        } = self
        else {
            return None;
        };
        let leaf = leaves.as_ref().map(|leaves| match who {
            Seated::Main => &leaves.services,
            Seated::Command => &leaves.commands,
        });
        Some(match leaf {
            Some(leaf) => (&leaf.directory, leaf.procs.as_ref()),
            None => (directory, procs.as_ref()),
        })
    }

    /// The directory for `CLONE_INTO_CGROUP`.
    pub(crate) fn clone_into(&self, who: Seated) -> Option<BorrowedFd<'_>> {
        let (directory, procs) = self.place(who)?;
        procs.is_none().then_some(directory.as_fd())
    }

    /// What an app in it is shown of it, for writing if it may. All of the host's is for reading alone.
    pub(crate) fn view(&self, writes: bool, host_cgroups: bool) -> CgroupView {
        match self {
            Self::None => CgroupView::Nothing,
            Self::V1 { tasks, .. } => CgroupView::V1 {
                hierarchies: tasks
                    .iter()
                    .filter_map(|t| HierarchyView::of(&t.controllers))
                    .collect(),
                writable: writes && !host_cgroups,
            },
            Self::V2 { leaves, .. } => CgroupView::V2 {
                writable: (writes || leaves.is_some()) && !host_cgroups,
            },
        }
    }

    /// The files to which the new process writes 0.
    pub(crate) fn tasks(&self, who: Seated) -> Vec<BorrowedFd<'_>> {
        match self {
            Self::V1 { tasks, .. } => tasks.iter().map(|tasks| tasks.file.as_fd()).collect(),
            Self::V2 { .. } | Self::None => {
                let procs = self.place(who).and_then(|(_, procs)| procs);
                procs.into_iter().map(AsFd::as_fd).collect()
            }
        }
    }

    /// The seat without the ways in: nothing of the app is to come, and their descriptors are for others.
    pub(crate) fn shut(self) -> Self {
        match self {
            Self::None => Self::None,
            Self::V1 {
                directory,
                pids_max,
                ..
            } => Self::V1 {
                tasks: Vec::new(),
                directory,
                pids_max,
                event_control: None,
            },
            Self::V2 {
                directory, kill, ..
            } => Self::V2 {
                directory,
                procs: None,
                kill,
                leaves: None,
            },
        }
    }

    /// SIGKILL to everything that is left of the app, which forks no more from then on. `true` if processes were seen
    /// that may not be gone: whoever calls then looks again.
    pub(crate) fn kill_all(&self) -> bool {
        let directory = match self {
            Self::None => return false,
            Self::V1 {
                directory,
                pids_max,
                ..
            } => {
                if let Some(file) = pids_max {
                    // Without it a fork is found by the next look.
                    let _ = write(file, b"0");
                }
                directory
            }
            Self::V2 {
                directory, kill, ..
            } => {
                let killed = match kill {
                    Some(file) => write(file, b"1").is_ok(),
                    None => open(directory, "cgroup.kill", OFlags::WRONLY)
                        .is_some_and(|file| write(&file, b"1").is_ok()),
                };
                if killed {
                    // The kernel does it all, also to what is being forked.
                    return false;
                }
                directory
            }
        };
        let mut killed = BTreeSet::new();
        for _ in 0..ROUNDS {
            let procs = read(directory, "cgroup.procs").unwrap_or_default();
            if procs.is_empty() {
                return false;
            }
            if !kill_each(&procs, &mut killed) {
                break;
            }
        }
        true
    }

    /// How many processes of the app the kernel has killed because memory ran out.
    pub(crate) fn oom_kills(&self) -> u64 {
        let text = match self {
            Self::None => None,
            Self::V1 { directory, .. } => read(directory, "memory.oom_control"),
            Self::V2 { directory, .. } => read(directory, "memory.events"),
        };
        text.as_deref().and_then(count_of_oom_kills).unwrap_or(0)
    }

    /// How often memory ran out because of a limit of this app; `None` where the kernel doesn't tell that from other
    /// reasons.
    pub(crate) fn limit_hits(&self) -> Option<u64> {
        match self {
            Self::None | Self::V1 { .. } => None,
            Self::V2 { directory, .. } => {
                let events = read(directory, "memory.events")?;
                numbers::field(&events, "oom")
            }
        }
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

/// Whether there was one that had not been killed before.
fn kill_each(procs: &str, killed: &mut BTreeSet<i32>) -> bool {
    let pids = procs.lines().filter_map(|line| line.parse().ok());
    pids.filter(|&pid: &i32| {
        let target = Pid::from_raw(pid);
        target.is_some_and(|target| kill_process(target, Signal::KILL).is_ok())
            && killed.insert(pid)
    })
    .count()
        > 0
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
