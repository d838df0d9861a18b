//! Commands that may run for so long only: then they are killed, with all that they have started and that has not found
//! another parent.
//!
//! Such a command adopts what loses its parent below it, daemons too. So all of it hangs together in one tree, whatever
//! sessions and groups it has made.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use rustix::fs::{Dir, Mode, OFlags, openat};
use rustix::mount::MountAttrFlags;

use crate::app::detached::mount_detached;
use crate::app::launch::RunningCommand;
use crate::sys;

/// How often a tree is looked at that goes on growing. What is killed makes nothing more, so that it takes two mostly.
const ROUNDS: usize = 64;

/// The commands that may run for so long only.
#[derive(Debug, Default)]
pub(super) struct Overdue {
    until: BTreeMap<u64, Instant>,
    killed: BTreeSet<u64>,
}

impl Overdue {
    /// This one may run for so long from now on.
    pub(super) fn begin(&mut self, id: u64, patience: Duration) {
        if let Some(until) = Instant::now().checked_add(patience) {
            self.until.insert(id, until);
        }
    }

    /// When [`Overdue::kill`] has something to do.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.until.values().min().copied()
    }

    /// Kills those whose time is over.
    pub(super) fn kill(&mut self, commands: &BTreeMap<u64, RunningCommand>, now: Instant) {
        for (id, _) in self.until.extract_if(.., |_, until| *until <= now) {
            if let Some(command) = commands.get(&id) {
                kill_tree(command.process.pid);
                self.killed.insert(id);
            }
        }
    }

    /// One has ended: whether that is because its time was over.
    pub(super) fn ended(&mut self, id: u64) -> bool {
        self.until.remove(&id);
        self.killed.remove(&id)
    }
}

/// A process, as far as a tree is made of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Process {
    pid: i32,
    parent: i32,
    is_dead: bool,
}

/// Kills a process and all below it. It is a child of this one that nobody has waited for.
fn kill_tree(root: i32) {
    // It reaps nothing and makes nothing meanwhile.
    send(root, Signal::SIGSTOP);
    if let Ok(proc) = mount_detached("proc", &[], MountAttrFlags::empty()) {
        let mut killed = BTreeSet::new();
        for _ in 0..ROUNDS {
            let below = below(root, &processes(&proc));
            let new: Vec<i32> = below
                .into_iter()
                .filter(|pid| killed.insert(*pid))
                .collect();
            if new.is_empty() {
                break;
            }
            for pid in new {
                send(pid, Signal::SIGKILL);
            }
        }
    } else {
        // What it leads.
        send(-root, Signal::SIGKILL);
    }
    send(root, Signal::SIGKILL);
}

fn send(pid: i32, signal: Signal) {
    // One that is gone already is what was wanted.
    let _ = sys::send_signal(pid, signal as i32);
}

/// What lives below a process.
fn below(root: i32, all: &[Process]) -> Vec<i32> {
    let mut children: BTreeMap<i32, Vec<Process>> = BTreeMap::new();
    for process in all {
        children.entry(process.parent).or_default().push(*process);
    }
    let mut found = Vec::new();
    let mut next = vec![root];
    while let Some(parent) = next.pop() {
        // Taken out: whatever a listing that was made meanwhile says, this ends.
        for process in children.remove(&parent).unwrap_or_default() {
            next.push(process.pid);
            if !process.is_dead {
                found.push(process.pid);
            }
        }
    }
    found
}

/// All processes that this procfs shows.
fn processes(proc: &OwnedFd) -> Vec<Process> {
    // What a mount is known by can't be read itself.
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = openat(proc, ".", flags, Mode::empty());
    let Ok(entries) = root.and_then(Dir::new) else {
        return Vec::new();
    };
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str().ok()?.parse().ok());
    pids.filter_map(|pid: i32| {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let file = openat(proc.as_fd(), format!("{pid}/stat"), flags, Mode::empty()).ok()?;
        let mut text = Vec::new();
        File::from(file).read_to_end(&mut text).ok()?;
        process(pid, &String::from_utf8_lossy(&text))
    })
    .collect()
}

/// From `/proc/PID/stat` (proc_pid_stat(5)), whose second field may hold whatever a process calls itself.
fn process(pid: i32, stat: &str) -> Option<Process> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace();
    let state = fields.next()?;
    Some(Process {
        pid,
        parent: fields.next()?.parse().ok()?,
        is_dead: ["Z", "X"].contains(&state),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_read_whatever_it_is_called() {
        let read = process(7, "7 (a) R 9 9) (x) S 3 7 7 0 -1").unwrap();
        let expected = Process {
            pid: 7,
            parent: 3,
            is_dead: false,
        };
        assert_eq!(read, expected);
        assert!(process(7, "7 (sh) Z 3 7").unwrap().is_dead);
        assert_eq!(process(7, "7 sh S"), None);
    }

    #[test]
    fn this_process_is_among_all_with_its_parent() {
        let proc = openat(rustix::fs::CWD, "/proc", OFlags::PATH, Mode::empty()).unwrap();
        let all = processes(&proc);
        let own = rustix::process::getpid().as_raw_pid();
        let found = all.iter().find(|process| process.pid == own).unwrap();
        let parent = rustix::process::getppid().map(rustix::process::Pid::as_raw_pid);
        assert_eq!((Some(found.parent), found.is_dead), (parent, false));
    }

    #[test]
    fn a_tree_is_what_lives_below_its_root() {
        let of = |pid, parent, is_dead| Process {
            pid,
            parent,
            is_dead,
        };
        let all = [
            of(1, 0, false),
            of(5, 1, false),
            of(6, 5, true),
            of(7, 6, false),
            of(8, 1, false),
            of(9, 5, false),
        ];
        let mut found = below(5, &all);
        found.sort_unstable();
        assert_eq!(found, [7, 9]);
        // A listing that says what can't be ends all the same.
        assert_eq!(below(5, &[of(6, 5, false), of(5, 6, false)]).len(), 2);
    }

    #[test]
    fn who_has_ended_before_its_time_was_not_killed() {
        let mut overdue = Overdue::default();
        overdue.begin(1, Duration::ZERO);
        assert!(overdue.deadline().is_some());
        assert!(!overdue.ended(1));
        assert_eq!(overdue.deadline(), None);
    }
}
