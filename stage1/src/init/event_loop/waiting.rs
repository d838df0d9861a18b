//! What pod init waits for.

use std::os::fd::AsFd;

use nix::poll::{PollFd, PollFlags};
use nix::sys::signalfd::SignalFd;

use super::Pod;
use crate::failure::StartFailure;
use crate::link::MonitorLink;

/// What happened while pod init waited.
#[derive(Debug)]
pub(super) struct Events {
    /// A child may have ended.
    pub(super) ended: bool,
    pub(super) starts: Vec<bool>,
    /// Memory has run out in the app that is watched at that place.
    pub(super) memory: Vec<bool>,
    pub(super) probes: Vec<bool>,
    pub(super) link: Vec<bool>,
}

impl Pod {
    /// Waits for something to happen.
    pub(super) fn wait(
        &self,
        signals: &SignalFd,
        link: &dyn MonitorLink,
    ) -> Result<Events, StartFailure> {
        let mut fds = vec![PollFd::new(signals.as_fd(), PollFlags::POLLIN)];
        let starts = self.starts.interests();
        let of_starts = starts.len();
        let starts = starts.into_iter();
        fds.extend(starts.map(|fd| PollFd::new(fd, PollFlags::POLLIN)));
        let watches = self.apps.values().filter_map(|app| app.memory.watch());
        let watches: Vec<_> = watches.collect();
        fds.extend(watches.iter().map(|watch| {
            let (fd, flags) = watch.interest();
            PollFd::new(fd, flags)
        }));
        let probes = self.probes.interests();
        let of_probes = probes.len();
        let probes = probes.into_iter();
        fds.extend(probes.map(|(fd, flags)| PollFd::new(fd, flags)));
        let interests = link.interests().into_iter();
        fds.extend(interests.map(|(fd, flags)| PollFd::new(fd, flags)));
        let deadlines = [
            self.supervisor.deadline(),
            self.starts.deadline(),
            self.abandoned.deadline(),
            self.overdue.deadline(),
            self.leftovers.deadline(),
            link.deadline(),
            self.probes.deadline(),
            watches.iter().filter_map(|watch| watch.deadline()).min(),
        ];
        let next = deadlines.into_iter().flatten().min();
        let waited = self.settling.wait(&mut fds, next);
        waited.map_err(StartFailure::os("wait for events"))?;
        let mut ready = fds.iter().map(|fd| fd.any().unwrap_or(false));
        Ok(Events {
            ended: ready.next().unwrap_or(false),
            starts: ready.by_ref().take(of_starts).collect(),
            memory: ready.by_ref().take(watches.len()).collect(),
            probes: ready.by_ref().take(of_probes).collect(),
            link: ready.collect(),
        })
    }
}
