//! Whether an app's main process was killed because memory ran out, and not another of its processes, before.
//!
//! The kernel counts its kills by cgroup, and tells nobody which processes they were. So each is looked at soon after it
//! happened: one that has left the main process alone explains no later end.

use std::fs::File;
use std::io::IoSliceMut;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::PollFlags;
use nix::sys::uio::{RemoteIoVec, process_vm_readv};
use nix::unistd::Pid;
use rustix::event::{EventfdFlags, eventfd};
use rustix::fs::OFlags;
use rustix::io::{pread, write};

use crate::app::cgroup::{CgroupSeat, open};

/// How long after the kernel's word a process that it kills has begun to die.
const SETTLED: Duration = Duration::from_millis(200);

/// What the kernel tells of an app's memory.
#[derive(Debug)]
pub(crate) struct MemoryWatch {
    source: Source,
    /// Kills that left the main process alone.
    earlier: u64,
    /// How often the app's limit was hit before that.
    earlier_hits: u64,
    look_at: Option<Instant>,
}

#[derive(Debug)]
enum Source {
    /// An event of its own: cgroups of version 1.
    Event(OwnedFd),
    /// The file that changes: version 2.
    File(File),
}

impl MemoryWatch {
    /// `None` where the kernel doesn't tell.
    pub(crate) fn of(seat: &CgroupSeat) -> Option<Self> {
        let source = match seat {
            CgroupSeat::None => return None,
            CgroupSeat::V1 {
                directory,
                event_control,
                ..
            } => {
                let file = open(directory, "memory.oom_control", OFlags::RDONLY)?;
                let opened;
                let control = match event_control {
                    Some(control) => control.as_fd(),
                    None => {
                        opened = open(directory, "cgroup.event_control", OFlags::WRONLY)?;
                        opened.as_fd()
                    }
                };
                let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
                let event = eventfd(0, flags).ok()?;
                let line = format!("{} {}", event.as_raw_fd(), file.as_raw_fd());
                write(control, line.as_bytes()).ok()?;
                Source::Event(event)
            }
            CgroupSeat::V2 { directory, .. } => {
                Source::File(open(directory, "memory.events", OFlags::RDONLY)?)
            }
        };
        let watch = Self {
            source,
            earlier: 0,
            earlier_hits: 0,
            look_at: None,
        };
        watch.take();
        Some(watch)
    }

    /// What to wait for.
    pub(crate) fn interest(&self) -> (BorrowedFd<'_>, PollFlags) {
        match &self.source {
            Source::Event(event) => (event.as_fd(), PollFlags::POLLIN),
            Source::File(file) => (file.as_fd(), PollFlags::POLLPRI),
        }
    }

    /// That has happened.
    pub(crate) fn happened(&mut self) {
        self.take();
        self.look_at = Instant::now().checked_add(SETTLED);
    }

    /// Reads what is there, so that the next one is told of.
    fn take(&self) {
        let mut buffer = [0; 512];
        // What can't be read says nothing new.
        let _ = match &self.source {
            Source::Event(event) => rustix::io::read(event, &mut buffer[..8]).map(drop),
            Source::File(file) => pread(file, &mut buffer, 0).map(drop),
        };
    }

    /// When [`MemoryWatch::look`] has something to do.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.look_at
    }

    /// Looks whether the main process has been left alone.
    /// `true` if it was time to.
    pub(crate) fn look(&mut self, now: Instant, seat: &CgroupSeat, main: i32) -> bool {
        let is_time = self.look_at.take_if(|at| *at <= now).is_some();
        if is_time && !is_dying(main) {
            self.earlier = seat.oom_kills();
            self.earlier_hits = seat.limit_hits().unwrap_or(0);
        }
        is_time
    }

    /// How often the app's own limit has been hit without an end of its main process.
    pub(crate) fn earlier_hits(&self) -> u64 {
        self.earlier_hits
    }

    /// Whether a kill that it knows of may be why the main process has been killed.
    pub(crate) fn explains(&self, seat: &CgroupSeat) -> bool {
        seat.oom_kills() > self.earlier
    }
}

/// Whether a process has given up its memory, as one that dies does first of all.
fn is_dying(pid: i32) -> bool {
    let mut byte = [0];
    // Nothing is there to be read, but before that the kernel looks for the memory.
    let nowhere = [RemoteIoVec { base: 0, len: 1 }];
    let read = process_vm_readv(
        Pid::from_raw(pid),
        &mut [IoSliceMut::new(&mut byte)],
        &nowhere,
    );
    read == Err(Errno::ESRCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_is_gone_or_waits_to_be_reaped_is_dying() {
        assert!(!is_dying(std::process::id().cast_signed()));
        let mut child = std::process::Command::new("sleep")
            .arg("1000")
            .spawn()
            .unwrap();
        let pid = child.id().cast_signed();
        assert!(!is_dying(pid));
        child.kill().unwrap();
        let ended = rustix::process::WaitIdOptions::EXITED | rustix::process::WaitIdOptions::NOWAIT;
        let id = rustix::process::Pid::from_raw(pid).unwrap();
        rustix::process::waitid(rustix::process::WaitId::Pid(id), ended).unwrap();
        assert!(is_dying(pid));
        child.wait().unwrap();
        assert!(is_dying(pid));
    }
}
