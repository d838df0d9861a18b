//! Word that something may have changed about pods: that they come, go, or end, and their apps. What has changed, who asks
//! looks up.
//!
//! The kernel tells of directories, monitors of what happens in their pods. A monitor that is killed shows by its
//! connection.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::inotify::AddWatchFlags;
use pod::control::{Request, Response};
use pod::seqpacket::SeqPacket;
use pod::{Phase, PodEntry, PodUuid};

use super::connection::connect_within;
use crate::changes::Changes;
use crate::config::directories::Directories;
use crate::engine::Engine;
use crate::error::{Error, MonitorError};

/// How long a monitor may take to take a connection: one that doesn't is tried again.
const CONNECT: Duration = Duration::from_millis(50);
/// Between two looks while a pod is going: the kernel releases its lock a moment after its connections.
const GOING: Duration = Duration::from_millis(50);
/// How many such looks.
const LOOKS: u32 = 20;

const EVENTS: AddWatchFlags = AddWatchFlags::IN_CREATE
    .union(AddWatchFlags::IN_MOVED_TO)
    .union(AddWatchFlags::IN_MOVED_FROM)
    .union(AddWatchFlags::IN_DELETE);

/// Waits for changes of all pods of an engine.
#[derive(Debug)]
pub struct Watch {
    directories: Directories,
    changes: Changes,
    /// By path, so that a directory is watched once.
    watched: BTreeSet<PathBuf>,
    connections: BTreeMap<PodUuid, SeqPacket>,
    /// Looks that are left without being told of anything.
    looks: u32,
}

impl Watch {
    /// From now on.
    ///
    /// # Errors
    /// If the kernel tells of no changes.
    pub fn new(engine: &Engine) -> Result<Self, Error> {
        let directories = engine.directories.clone();
        let changes = Changes::new().map_err(Error::errno("watch", &directories.data))?;
        let mut watch = Self {
            directories,
            changes,
            watched: BTreeSet::new(),
            connections: BTreeMap::new(),
            looks: 0,
        };
        watch.watch_all()?;
        Ok(watch)
    }

    /// Watches the directories that pods come to, or those in which these come to be.
    fn watch_all(&mut self) -> Result<(), Error> {
        let phase = Path::new("pods").join(Phase::Run.dir_name());
        let data = self.directories.data.join(phase);
        let run = self.directories.run.join("pods");
        for directory in [data, run] {
            for path in directory.ancestors() {
                self.watch(path)?;
                if self.watched.contains(path) {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Has these pods tell what happens in them, and no others.
    ///
    /// # Errors
    /// If the kernel tells of no changes.
    pub fn follow(&mut self, entries: &[PodEntry]) -> Result<(), Error> {
        let wanted: BTreeSet<PodUuid> = entries.iter().map(|entry| entry.uuid).collect();
        self.connections.retain(|uuid, _| wanted.contains(uuid));
        // The kernel forgets directories that are gone; one of the same name would be another.
        self.watched.retain(|path| path.exists());
        self.watch_all()?;
        for entry in entries {
            self.watch(&entry.path)?;
            self.watch(&self.directories.pod_run(entry.uuid))?;
            if !self.connections.contains_key(&entry.uuid)
                && let Ok(Some(connection)) = connect_within(entry, &self.directories, CONNECT)
                && connection.send(&Request::Events, &[]).is_ok()
            {
                self.connections.insert(entry.uuid, connection);
            }
        }
        Ok(())
    }

    fn watch(&mut self, directory: &Path) -> Result<(), Error> {
        if self.watched.contains(directory) {
            return Ok(());
        }
        let watched = self.changes.watch(directory, EVENTS);
        if watched.map_err(Error::errno("watch", directory))? {
            self.watched.insert(directory.to_owned());
        }
        Ok(())
    }

    /// Waits until something may have changed, or the time is up.
    ///
    /// # Errors
    /// If the kernel can't tell.
    pub fn wait(&mut self, patience: Duration) -> Result<(), Error> {
        let pause = self.changes.pause().unwrap_or(patience);
        let pause = match self.looks {
            0 => pause,
            _ => pause.min(GOING),
        };
        self.looks = self.looks.saturating_sub(1);
        let own = self.changes.descriptor().into_iter();
        let all = own.chain(self.connections.values().map(AsFd::as_fd));
        let mut polled: Vec<PollFd<'_>> = all
            .map(|descriptor| PollFd::new(descriptor, PollFlags::POLLIN))
            .collect();
        let pause = PollTimeout::try_from(pause).unwrap_or(PollTimeout::MAX);
        match poll(&mut polled, pause) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(MonitorError::Wait(errno.into()).into()),
        }
        self.changes.forget();
        let before = self.connections.len();
        self.connections.retain(|_, connection| hears(connection));
        if self.connections.len() < before {
            self.looks = LOOKS;
        }
        Ok(())
    }
}

/// Takes what a monitor has said; false if it is gone.
fn hears(connection: &SeqPacket) -> bool {
    loop {
        let mut polled = [PollFd::new(connection.as_fd(), PollFlags::POLLIN)];
        match poll(&mut polled, PollTimeout::ZERO) {
            Ok(0) | Err(_) => return true,
            Ok(_) => {}
        }
        if !matches!(connection.recv::<Response>(), Ok(Some(_))) {
            return false;
        }
    }
}
