//! The monitor's loop: pod init, streams, signals and clients.

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::signal::Signal;
use nix::sys::signalfd::{SfdFlags, SignalFd};
use pod::AppName;
use pod::control::bounds::CLIENTS_MAX;
use pod::control::{LiveStatus, Request, Response};
use pod::exit::{FailureKind, Outcome};
use pod::manifest::PodManifest;
use pod::seqpacket::Listener;
use pod::timestamp::Timestamp;
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::{WaitId, WaitIdOptions, pidfd_send_signal, waitid};

use super::exec::Client;
use super::peers::PeerNames;
use super::records::{AppRecord, PodEnd};
use super::streams::Streams;
use super::{Isolator, handled_signals, init_was_killed, report_started};
use crate::failure::StartFailure;
use crate::link::process::pid_of;
use crate::link::stream::StreamId;
use crate::link::{HandedOver, Heard, InitLink, LinkError, Process};
use crate::protocol::{FromInit, ToInit};
use crate::sys::release_program_memory;
use crate::timing::{SETTLING, poll_timeout};

/// How long pod init has to end the pod beyond the grace period, before it is killed itself.
const INIT_GRACE: Duration = Duration::from_secs(2);

/// A pod that is being started or runs.
#[derive(Debug)]
pub(super) struct Monitor {
    manifest: PodManifest,
    init: Box<dyn InitLink>,
    init_pidfd: OwnedFd,
    init_is_dead: bool,
    /// Its exit code, once it has one.
    init_code: i32,
    listener: Listener,
    signals: SignalFd,
    streams: Streams,
    clients: Vec<Client>,
    peers: Option<PeerNames>,
    apps: Vec<AppRecord>,
    started: Option<Timestamp>,
    /// The exit code, or why the pod did not start.
    end: Option<Result<i32, StartFailure>>,
    kill_init_at: Option<Instant>,
    stop_requested: bool,
    /// When to give back what only the start needed.
    settles_at: Option<Instant>,
    commands: u64,
    /// The user does not want to wait for the rest of the output.
    give_up_output: bool,
    /// When nobody waits any longer for somebody to take the rest of the output.
    give_up_output_at: Option<Instant>,
}

impl Monitor {
    pub(super) fn new(
        manifest: PodManifest,
        (init, init_pidfd): (Box<dyn InitLink>, OwnedFd),
        listener: Listener,
        streams: Streams,
        peers: Option<PeerNames>,
    ) -> Result<Self, StartFailure> {
        let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
        let signals = SignalFd::with_flags(&handled_signals(), flags)
            .map_err(StartFailure::os("listen for signals"))?;
        let apps = manifest
            .apps
            .iter()
            .map(|app| AppRecord::new(app.name.clone()))
            .collect();
        Ok(Self {
            manifest,
            init,
            init_pidfd,
            init_is_dead: false,
            init_code: 0,
            listener,
            signals,
            streams,
            clients: Vec::new(),
            peers,
            apps,
            started: None,
            end: None,
            kill_init_at: None,
            stop_requested: false,
            settles_at: None,
            commands: 0,
            give_up_output: false,
            give_up_output_at: None,
        })
    }

    /// Runs until everything of the pod is gone and its output delivered.
    pub(super) fn run(
        mut self,
        isolator: &dyn Isolator,
        ready: &mut Option<OwnedFd>,
    ) -> Result<PodEnd, StartFailure> {
        while !self.is_over() {
            if let Err(failure) = self.turn(ready) {
                // The pod can't be looked after any more, so it must not go on. What it still has to say is
                // not believed.
                self.end = Some(Err(failure));
                self.kill_init();
                self.reap_init()?;
                break;
            }
        }
        self.into_end(isolator)
    }

    fn is_over(&self) -> bool {
        self.init_is_dead && (self.give_up_output || self.streams.are_drained())
    }

    /// Waits for something to happen, and deals with it.
    fn turn(&mut self, ready: &mut Option<OwnedFd>) -> Result<(), StartFailure> {
        let events = self.wait()?;
        for heard in self.init.advance(&events.link)? {
            self.hear(heard, ready)?;
        }
        if events.init_died {
            // Its last words may still be on the way.
            for heard in self.init.last_words()? {
                self.hear(heard, ready)?;
            }
            self.reap_init()?;
        }
        if events.signal {
            self.take_signals()?;
        }
        self.streams.advance(&events.streams);
        self.serve_clients(&events.clients);
        if events.connection
            && let Ok(socket) = self.listener.accept()
            && set_nonblocking(&socket).is_ok()
        {
            self.clients.push(Client::new(socket));
        }
        self.keep_time()
    }

    fn kill_init(&self) {
        // If that fails it is dead already.
        let _ = pidfd_send_signal(&self.init_pidfd, rustix::process::Signal::KILL);
    }

    /// Does what was put off until now.
    fn keep_time(&mut self) -> Result<(), StartFailure> {
        let now = Instant::now();
        if self.kill_init_at.is_some_and(|instant| instant <= now) {
            self.kill_init_at = None;
            self.kill_init();
        }
        if self.give_up_output_at.is_some_and(|instant| instant <= now) {
            self.give_up_output = true;
        }
        if self.settles_at.is_some_and(|instant| instant <= now) {
            self.settles_at = None;
            release_program_memory();
        }
        if self.started.is_some()
            && let Some(changes) = self.peers.as_mut().and_then(|peers| peers.take(now))
        {
            self.settles_at = now.checked_add(SETTLING);
            self.tell_init(&ToInit::Peers(changes))?;
        }
        Ok(())
    }

    fn into_end(self, isolator: &dyn Isolator) -> Result<PodEnd, StartFailure> {
        let (exit_code, failure) = match (self.end, self.started) {
            (Some(Ok(exit_code)), _) => (exit_code, None),
            (Some(Err(failure)), None) => return Err(failure),
            (None, None) if self.init_code != 0 => {
                return Err(isolator.explain_end(self.init_code));
            }
            (None, None) => return Err(init_was_killed()),
            (Some(Err(failure)), Some(_)) => (failure.kind.exit_code(), Some(failure.message)),
            (None, Some(_)) => {
                let killed = Outcome::Signaled {
                    signal: 9,
                    oom_killed: false,
                };
                (killed.exit_code(), Some(init_was_killed().message))
            }
        };
        let Self {
            manifest,
            apps,
            started,
            ..
        } = self;
        Ok(PodEnd {
            manifest,
            apps,
            started,
            exit_code,
            failure,
        })
    }

    fn wait(&self) -> Result<Events, StartFailure> {
        // Beyond that many, clients wait in the listener's queue.
        let room = self.clients.len() < CLIENTS_MAX;
        let connections = if room {
            PollFlags::POLLIN
        } else {
            PollFlags::empty()
        };
        let mut fds = vec![
            PollFd::new(self.signals.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.listener.as_fd(), connections),
        ];
        if !self.init_is_dead {
            fds.push(PollFd::new(self.init_pidfd.as_fd(), PollFlags::POLLIN));
        }
        let link = self.init.interests();
        let of_link = link.len();
        fds.extend(link.into_iter().map(|(fd, flags)| PollFd::new(fd, flags)));
        let interests = self.streams.interests();
        let streams = interests.len();
        fds.extend(
            interests
                .into_iter()
                .map(|(fd, flags)| PollFd::new(fd, flags)),
        );
        let clients = self.clients.iter();
        fds.extend(clients.map(|c| PollFd::new(c.socket.as_fd(), PollFlags::POLLIN)));
        let peers = self.peers.as_ref().filter(|_| self.started.is_some());
        let look_at = peers.and_then(PeerNames::due);
        let put_off = [self.kill_init_at, self.settles_at, self.give_up_output_at];
        let next = put_off.into_iter().chain([look_at]).flatten().min();
        match poll(&mut fds, poll_timeout(next)) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(StartFailure::os("wait for events")(errno)),
        }
        let mut ready = fds.iter().map(|fd| fd.any().unwrap_or(false));
        let mut next = || ready.next().unwrap_or(false);
        let (signal, connection) = (next(), next());
        let init_died = !self.init_is_dead && next();
        let link = (0..of_link).map(|_| next()).collect();
        let streams = (0..streams).map(|_| next()).collect();
        let clients = (0..self.clients.len()).map(|_| next()).collect();
        Ok(Events {
            signal,
            connection,
            init_died,
            link,
            streams,
            clients,
        })
    }

    /// Takes one message of pod init.
    fn hear(&mut self, heard: Heard, ready: &mut Option<OwnedFd>) -> Result<(), StartFailure> {
        let Heard {
            message,
            process,
            terminal,
        } = heard;
        match message {
            FromInit::AppStarted {
                app,
                terminal: stream,
            } => self.app_started(&app, process, stream.zip(terminal))?,
            FromInit::Started => {
                self.started = Some(Timestamp::now());
                self.settles_at = Instant::now().checked_add(SETTLING);
                report_started(ready);
            }
            FromInit::Failed(failure) => self.end = Some(Err(failure)),
            FromInit::AppExited { app, outcome } => self.app_exited(&app, outcome),
            FromInit::Finished { exit_code } => self.end = Some(Ok(exit_code)),
            FromInit::PeersTold { failure } => {
                if let Some(peers) = &mut self.peers {
                    peers.told(failure.as_deref());
                }
            }
            FromInit::ExecStarted { id, .. } => {
                self.answer(id, |client| client.started(process, terminal));
            }
            FromInit::ExecFailed { id, failure } => {
                let client = self.clients.iter().find(|client| client.waits_for(id));
                if let Some(terminal) = client.and_then(Client::terminal) {
                    self.init.forget_terminal(terminal);
                }
                self.answer(id, |client| client.failed(&failure));
            }
            FromInit::ExecExited { id, outcome } => self.answer(id, |client| client.ended(outcome)),
        }
        Ok(())
    }

    fn app_started(
        &mut self,
        name: &AppName,
        process: Option<Process>,
        terminal: Option<(StreamId, OwnedFd)>,
    ) -> Result<(), StartFailure> {
        if let Some(app) = self.apps.iter_mut().find(|app| app.name == *name) {
            app.started = Some(Timestamp::now());
            app.process = process;
        }
        match (terminal, self.manifest.app(name)) {
            (Some((stream, terminal)), Some(app)) => {
                self.streams.attach_terminal(app, stream, terminal)
            }
            _ => Ok(()),
        }
    }

    fn app_exited(&mut self, name: &AppName, outcome: Outcome) {
        let outcome = match outcome {
            Outcome::Signaled { signal, oom_killed } => Outcome::Signaled {
                signal,
                // A pod that is being ended is killed by us.
                oom_killed: oom_killed && !self.stop_requested,
            },
            other => other,
        };
        if let Some(app) = self.apps.iter_mut().find(|app| app.name == *name) {
            app.process = None;
            app.end = Some((Timestamp::now(), outcome));
        }
    }

    /// Pod init is dead, and with it everything in the pod.
    fn reap_init(&mut self) -> Result<(), StartFailure> {
        let status = waitid(
            WaitId::PidFd(self.init_pidfd.as_fd()),
            WaitIdOptions::EXITED,
        )
        .map_err(StartFailure::os("reap pod init"))?;
        self.init_code = status
            .and_then(|status| status.exit_status())
            .unwrap_or_default();
        self.init_is_dead = true;
        if self.stop_requested {
            self.give_up_output_at = Instant::now().checked_add(INIT_GRACE);
        }
        self.kill_init_at = None;
        self.streams.close_input();
        Ok(())
    }

    fn take_signals(&mut self) -> Result<(), StartFailure> {
        while let Ok(Some(info)) = self.signals.read_signal() {
            let signal = i32::try_from(info.ssi_signo).unwrap_or_default();
            match Signal::try_from(signal) {
                Ok(Signal::SIGIO) => {
                    if let Some(peers) = &mut self.peers {
                        peers.changed(Instant::now());
                    }
                }
                Ok(Signal::SIGWINCH) => {
                    if let Some((terminal, size)) = self.streams.new_size() {
                        self.tell_init(&ToInit::Resize { terminal, size })?;
                    }
                }
                _ if self.init_is_dead => self.give_up_output = true,
                Ok(Signal::SIGTERM) => self.stop(self.manifest.grace_period())?,
                _ => self.tell_init(&ToInit::Signal { app: None, signal })?,
            }
        }
        Ok(())
    }

    fn stop(&mut self, grace: Duration) -> Result<(), StartFailure> {
        self.stop_requested = true;
        if self.init_is_dead {
            self.give_up_output = true;
            return Ok(());
        }
        let at = Instant::now().checked_add(grace.saturating_add(INIT_GRACE));
        // A later stop can only shorten the time that is left.
        self.kill_init_at = match (self.kill_init_at, at) {
            (Some(earlier), Some(at)) => Some(earlier.min(at)),
            (earlier, at) => at.or(earlier),
        };
        let grace_ms = u64::try_from(grace.as_millis()).unwrap_or(u64::MAX);
        self.tell_init(&ToInit::Stop { grace_ms })
    }

    /// If pod init is gone, its pidfd says so next.
    fn tell_init(&mut self, message: &ToInit) -> Result<(), StartFailure> {
        match self.init.send(message, HandedOver::Nothing) {
            Ok(()) | Err(LinkError::Gone | LinkError::Send(_)) => Ok(()),
            Err(_) if self.init_is_dead => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn answer(&mut self, id: u64, answer: impl FnOnce(&mut Client) -> Result<(), pod::PodError>) {
        // A client that has left, or that doesn't read, gets no answer.
        if let Some(index) = self.clients.iter().position(|client| client.waits_for(id))
            && let Some(client) = self.clients.get_mut(index)
            && answer(client).is_err()
        {
            client.leave();
        }
    }

    fn serve_clients(&mut self, ready: &[bool]) {
        if ready.contains(&true) && self.started.is_some() {
            self.settles_at = Instant::now().checked_add(SETTLING);
        }
        for (index, _) in ready.iter().enumerate().filter(|(_, ready)| **ready) {
            if self.serve_client(index).is_none()
                && let Some(client) = self.clients.get_mut(index)
            {
                client.leave();
            }
        }
        self.clients.retain(|client| !client.has_left());
    }

    /// Serves one request. `None` if the connection is over.
    fn serve_client(&mut self, index: usize) -> Option<()> {
        let (request, _) = self.clients.get(index)?.socket.recv::<Request>().ok()??;
        let response = match request {
            Request::Status => Response::Status(self.status()),
            Request::Stop { grace_ms } => {
                let grace = grace_ms.unwrap_or(self.manifest.grace_period_ms);
                self.stop(Duration::from_millis(grace)).ok()?;
                Response::Done
            }
            Request::Signal { app, signal } => self.signal(app, signal.number()),
            Request::Exec(request) => {
                self.commands += 1;
                let client = self.clients.get_mut(index)?;
                return match client.execute(&mut *self.init, self.commands, request) {
                    Ok(()) => Some(()),
                    Err(failure) => client.refuse(failure.kind, failure.message).ok(),
                };
            }
            Request::Resize(size) => {
                if let Some(terminal) = self.clients.get(index)?.terminal() {
                    self.tell_init(&ToInit::Resize { terminal, size }).ok()?;
                }
                return Some(());
            }
            _ => Response::Refused {
                kind: FailureKind::Other,
                message: "the pod's isolator does not serve this request".into(),
            },
        };
        self.clients.get(index)?.socket.send(&response, &[]).ok()
    }

    fn signal(&mut self, app: Option<AppName>, signal: i32) -> Response {
        let known = app
            .as_ref()
            .is_none_or(|name| self.manifest.app(name).is_some());
        match app {
            Some(name) if !known => Response::Refused {
                kind: FailureKind::Other,
                message: format!("the pod has no app called {name}"),
            },
            app => match self.tell_init(&ToInit::Signal { app, signal }) {
                Ok(()) => Response::Done,
                Err(failure) => Response::Refused {
                    kind: failure.kind,
                    message: failure.message,
                },
            },
        }
    }

    fn status(&self) -> LiveStatus {
        LiveStatus {
            monitor_pid: std::process::id().try_into().unwrap_or_default(),
            init_pid: pid_of(&self.init_pidfd).unwrap_or_default(),
            started: self.started,
            apps: self.apps.iter().map(AppRecord::live).collect(),
        }
    }
}

/// What happened while the monitor waited.
#[derive(Debug)]
struct Events {
    signal: bool,
    connection: bool,
    init_died: bool,
    link: Vec<bool>,
    streams: Vec<bool>,
    clients: Vec<bool>,
}

fn set_nonblocking(fd: &impl AsFd) -> Result<(), rustix::io::Errno> {
    fcntl_setfl(fd, fcntl_getfl(fd)? | OFlags::NONBLOCK)
}
