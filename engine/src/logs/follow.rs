//! Waiting for more of the logs of a pod, and for the pod's end.

use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::inotify::AddWatchFlags;
use pod::manifest::app_dir;
use pod::{AppName, PodEntry};

use crate::changes::Changes;
use crate::config::directories::Directories;
use crate::error::{Error, MonitorError};
use crate::pods::connection::connect_when_up;
use crate::pods::ending;
use crate::pods::monitor::Monitor;

/// Waits for more of the logs of a running pod.
#[derive(Debug)]
pub struct Follower {
    changes: Changes,
    monitor: Monitor,
}

impl Follower {
    /// To be made before the logs are opened; `None` if the pod has ended.
    ///
    /// # Errors
    /// If the kernel can't watch the logs, or the pod's monitor can't be talked to.
    pub fn new(
        entry: &PodEntry,
        names: &[AppName],
        directories: &Directories,
    ) -> Result<Option<Self>, Error> {
        let Some(connection) = connect_when_up(entry, directories)? else {
            return Ok(None);
        };
        // The process is what is waited for: a connection would take a place that others may need.
        let monitor = Monitor::of(&connection)?;
        drop(connection);
        let failed = |errno| Error::errno("watch", &entry.path)(errno);
        let mut changes = Changes::new().map_err(failed)?;
        // The manifest gets its place by a rename: apps have joined or left.
        let is_there = changes.watch(&entry.path, AddWatchFlags::IN_MOVED_TO);
        if !is_there.map_err(failed)? {
            // It ended and was removed in this very moment.
            return Ok(None);
        }
        let mut follower = Self { changes, monitor };
        for name in names {
            follower.watch(entry, name)?;
        }
        Ok(Some(follower))
    }

    /// Waits for what this app writes, too. One that has left the pod is nothing to wait for.
    ///
    /// # Errors
    /// If the kernel can't watch its log.
    pub fn watch(&mut self, entry: &PodEntry, app: &AppName) -> Result<(), Error> {
        let events =
            AddWatchFlags::IN_MODIFY | AddWatchFlags::IN_CREATE | AddWatchFlags::IN_MOVED_TO;
        let directory = app_dir(&entry.path, app);
        let watched = self.changes.watch(&directory, events);
        watched.map(drop).map_err(Error::errno("watch", &directory))
    }

    /// Waits until there may be more to read, for at most this long; true if nothing more will come.
    ///
    /// # Errors
    /// If the kernel can't tell.
    pub fn wait(&self, entry: &PodEntry, patience: Option<Duration>) -> Result<bool, Error> {
        let Some(monitor) = self.monitor.process() else {
            ending::wait_for_lock(entry)?;
            return Ok(true);
        };
        let mut descriptors = vec![PollFd::new(monitor, PollFlags::POLLIN)];
        let changes = self.changes.descriptor();
        descriptors.extend(changes.map(|changes| PollFd::new(changes, PollFlags::POLLIN)));
        let pauses = self.changes.pause().into_iter().chain(patience);
        // Longer than poll(2) can count is waited for again.
        let timeout = pauses.min().map_or(PollTimeout::NONE, |pause| {
            let rounded = pause.saturating_add(Duration::from_micros(999));
            PollTimeout::try_from(rounded.as_millis()).unwrap_or(PollTimeout::MAX)
        });
        match poll(&mut descriptors, timeout) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(MonitorError::Wait(errno.into()).into()),
        }
        let monitor = descriptors.first().and_then(PollFd::any);
        let has_ended = monitor.unwrap_or(false);
        // What changed doesn't matter: everything is read on.
        self.changes.forget();
        if has_ended {
            ending::wait_for_lock(entry)?;
        }
        Ok(has_ended)
    }
}
