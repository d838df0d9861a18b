//! Apps that run.

use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;

use pod::AppName;
use pod::accounts::Identity;

use crate::app::cgroup::CgroupSeat;
use crate::app::child::ProcessLimits;
use crate::app::confinement::Confinement;
use crate::app::exec_label::ModuleLabel;
use crate::app::memory_watch::MemoryWatch;
use crate::app::rootfs::RootFs;
use crate::app::stdio::OpenTerminal;
use crate::sys::Spawned;

/// An app that runs, and what a command inside of it needs.
#[derive(Debug)]
pub(crate) struct RunningApp {
    pub(crate) name: AppName,
    pub(crate) stop_signal: i32,
    pub(crate) process: Spawned,
    pub(crate) seat: CgroupSeat,
    pub(crate) memory: MemoryState,
    pub(crate) terminal: Option<OpenTerminal>,
    pub(super) identity: Identity,
    /// Where users of commands are looked up.
    pub(super) root: RootFs,
    pub(super) environment: Vec<String>,
    /// Whether `HOME` is what the app's user has, and nobody has set it.
    pub(super) has_home_of_user: bool,
    pub(super) workdir: CString,
    pub(super) pts: OwnedFd,
    pub(super) null: OwnedFd,
    pub(super) confinement: Confinement,
    pub(super) limits: ProcessLimits,
    /// How soon it is killed when memory is short, and a procfs that takes it.
    pub(super) oom_score: Option<(OwnedFd, Vec<u8>)>,
    /// The label of its processes.
    pub(super) label: Option<ModuleLabel>,
    /// Whether it is in another pid namespace than pod init.
    pub(super) other_processes: bool,
    /// Whether that is its own.
    pub(super) own_processes: bool,
}

/// Whether the kernel tells of an app's memory.
#[derive(Debug)]
pub(crate) enum MemoryState {
    /// Nobody has asked it to.
    Unwatched,
    /// As far as it does.
    Watched(Option<MemoryWatch>),
}

impl MemoryState {
    /// The watch, if there is one.
    pub(crate) fn watch(&self) -> Option<&MemoryWatch> {
        match self {
            Self::Watched(watch) => watch.as_ref(),
            Self::Unwatched => None,
        }
    }

    /// The same, to be changed.
    pub(crate) fn watch_mut(&mut self) -> Option<&mut MemoryWatch> {
        match self {
            Self::Watched(watch) => watch.as_mut(),
            Self::Unwatched => None,
        }
    }
}

impl RunningApp {
    /// What is left of one that has ended: its place among what it may have left running. All else is closed.
    pub(crate) fn into_seat(self) -> CgroupSeat {
        self.seat
    }

    /// The process by which others join its pid namespace, if it has one of its own.
    pub(crate) fn own_processes(&self) -> Option<BorrowedFd<'_>> {
        self.own_processes.then(|| self.process.pidfd.as_fd())
    }

    /// Asks the kernel to tell of its memory, unless that has been done.
    pub(crate) fn watch_memory(&mut self) {
        if let MemoryState::Unwatched = self.memory {
            self.memory = MemoryState::Watched(MemoryWatch::of(&self.seat));
        }
    }

    /// Does what was put off about its memory, if something was.
    pub(crate) fn look_at_memory(&mut self, now: Instant) -> bool {
        let watch = self.memory.watch_mut();
        watch.is_some_and(|watch| watch.look(now, &self.seat, self.process.pid))
    }

    /// Whether memory that ran out may be why its main process has been killed.
    pub(crate) fn ran_out_of_memory(&self) -> bool {
        match self.memory.watch() {
            Some(watch) => watch.explains(&self.seat),
            None => self.seat.oom_kills() > 0,
        }
    }

    /// Whether its own limit of memory has been hit, and not only long ago. Version 1 doesn't tell.
    pub(crate) fn has_hit_its_limit(&self) -> bool {
        let earlier = self.memory.watch().map_or(0, MemoryWatch::earlier_hits);
        self.seat.limit_hits().is_some_and(|hits| hits > earlier)
    }
}
