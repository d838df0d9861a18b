//! Waiting for whatever can happen to a pod.

use std::os::fd::AsFd;
use std::time::Instant;

use nix::poll::{PollFd, PollFlags};

use super::clients::Client;
use super::event_loop::Monitor;
use super::peers::PeerNames;
use crate::failure::StartFailure;

/// What happened while the monitor waited.
#[derive(Debug)]
pub(super) struct Events {
    pub(super) signal: bool,
    pub(super) connection: bool,
    pub(super) init_died: bool,
    pub(super) companion_died: bool,
    pub(super) link: Vec<bool>,
    pub(super) streams: Vec<bool>,
    /// A command of a check says something.
    pub(super) checks: Vec<bool>,
    /// An app says something of itself.
    pub(super) said: Vec<bool>,
    /// There is room on standard error.
    pub(super) room: bool,
    pub(super) clients: Vec<bool>,
}

impl Monitor {
    /// Waits for something to happen, or until the caller is to be told something.
    pub(super) fn wait(&self, of_caller: Option<Instant>) -> Result<Events, StartFailure> {
        let connections = match self.accept_at {
            None => PollFlags::POLLIN,
            Some(_) => PollFlags::empty(),
        };
        let mut fds = vec![
            PollFd::new(self.signals.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.listener.as_fd(), connections),
        ];
        if !self.init_is_dead {
            fds.push(PollFd::new(self.init_pidfd.as_fd(), PollFlags::POLLIN));
            let companions = self.companions.iter();
            fds.extend(companions.map(|fd| PollFd::new(fd.as_fd(), PollFlags::POLLIN)));
        }
        let link = self.init.interests();
        let of_link = link.len();
        fds.extend(link.into_iter().map(|(fd, flags)| PollFd::new(fd, flags)));
        let supervision = self.supervision.as_ref().filter(|_| !self.init_is_dead);
        let interests = self.streams.interests();
        let streams = interests.len();
        fds.extend(
            interests
                .into_iter()
                .map(|(fd, flags)| PollFd::new(fd, flags)),
        );
        let checks = supervision.map_or_else(Vec::new, |one| one.checks.interests());
        let of_checks = checks.len();
        fds.extend(
            checks
                .into_iter()
                .map(|fd| PollFd::new(fd, PollFlags::POLLIN)),
        );
        let said = self.app_notify.interests();
        let of_said = said.len();
        fds.extend(
            said.into_iter()
                .map(|fd| PollFd::new(fd, PollFlags::POLLIN)),
        );
        let told = self.diagnostics.interest();
        fds.extend(told.map(|(fd, flags)| PollFd::new(fd, flags)));
        let clients = self.clients.iter();
        fds.extend(clients.map(|c| PollFd::new(c.socket.as_fd(), PollFlags::POLLIN)));
        let peers = self.peers.as_ref().filter(|_| self.started.is_some());
        let look_at = peers.and_then(PeerNames::due);
        let put_off = [
            self.kill_init_at,
            self.look_at_start_at,
            self.accept_at,
            self.give_up_output_at,
            supervision.and_then(|supervision| supervision.due()),
        ];
        let of_clients = self.clients.iter().filter_map(Client::due).min();
        let next = put_off
            .into_iter()
            .chain([
                look_at,
                of_caller,
                self.app_notify.due(),
                self.registration.due(),
                of_clients,
                self.streams.due(),
                self.init.deadline(),
            ])
            .flatten()
            .min();
        let waited = self.settling.wait(&mut fds, next);
        waited.map_err(StartFailure::os("wait for events"))?;
        let mut ready = fds.iter().map(|fd| fd.any().unwrap_or(false));
        let mut next = || ready.next().unwrap_or(false);
        let (signal, connection) = (next(), next());
        let init_died = !self.init_is_dead && next();
        let companions = match self.init_is_dead {
            true => 0,
            false => self.companions.len(),
        };
        let companion_died = (0..companions).fold(false, |died, _| next() || died);
        let link = (0..of_link).map(|_| next()).collect();
        let streams = (0..streams).map(|_| next()).collect();
        let checks = (0..of_checks).map(|_| next()).collect();
        let said = (0..of_said).map(|_| next()).collect();
        let room = told.is_some() && next();
        let clients = (0..self.clients.len()).map(|_| next()).collect();
        Ok(Events {
            signal,
            connection,
            init_died,
            companion_died,
            link,
            streams,
            checks,
            said,
            room,
            clients,
        })
    }
}
