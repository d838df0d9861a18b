//! The monitor's loop: pod init, streams, signals and clients.

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::signalfd::SignalFd;
use pod::PodError;
use pod::control::bounds::CONNECTIONS_MAX;
use pod::exit::{Outcome, says_only_that_output_was_lost};
use pod::manifest::PodManifest;
use pod::processes::is_stopped;
use pod::seqpacket::{Listener, SeqPacket};
use pod::timestamp::Timestamp;
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::{WaitId, WaitIdOptions, waitid};
use supervisor::Event;

use super::app_notify::AppNotify;
use super::caller::Caller;
use super::clients::{Awaited, Client};
use super::descriptors;
use super::diagnostics::Diagnostics;
use super::interrupts::Interrupts;
use super::isolator::{Isolator, SLACK};
use super::machined::Registration;
use super::peers::PeerNames;
use super::privileges::may_gain_privileges;
use super::questions::Questions;
use super::records::{AppRecord, PodEnd};
use super::signals;
use super::streams::Streams;
use super::supervision::Supervision;
use crate::failure::StartFailure;
use crate::link::process::pid_of;
use crate::link::{HandedOver, InitLink, LinkError};
use crate::protocol::ToInit;
use crate::settling::Settling;

/// How long connections wait that can't be accepted now.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What who has to leave is told.
const TOO_MANY_CONNECTIONS: &str = "there are too many connections to this pod at once";

/// A pod that is being started or runs.
#[derive(Debug)]
pub(super) struct Monitor {
    /// What stands on disk, too.
    pub(super) manifest: PodManifest,
    pub(super) pod_dir: PathBuf,
    /// Whether apps may gain privileges: pod init has kept that from the pod's start on.
    pub(super) new_privileges: bool,
    pub(super) init: Box<dyn InitLink>,
    pub(super) init_pidfd: OwnedFd,
    pub(super) init_is_dead: bool,
    /// What it can't be without.
    pub(super) companions: Vec<OwnedFd>,
    /// Its exit code, once it has one.
    init_code: i32,
    /// The signal that it was killed by, once it was.
    pub(super) init_signal: Option<i32>,
    pub(super) listener: Listener,
    pub(super) signals: SignalFd,
    pub(super) streams: Streams,
    pub(super) clients: Vec<Client>,
    pub(super) peers: Option<PeerNames>,
    /// Who decides when apps start, start again and end, where pod init doesn't.
    pub(super) supervision: Option<Box<Supervision>>,
    /// What apps say of themselves.
    pub(super) app_notify: AppNotify,
    pub(super) diagnostics: Diagnostics,
    /// In the manifest's order.
    pub(super) apps: Vec<AppRecord>,
    pub(super) started: Option<Timestamp>,
    /// The exit code, or why the pod did not start.
    pub(super) end: Option<Result<i32, StartFailure>>,
    pub(super) kill_init_at: Option<Instant>,
    /// Whether that time has come before its end.
    pub(super) was_out_of_time: bool,
    /// When to look again whether pod init is stuck before its first word.
    pub(super) look_at_start_at: Option<Instant>,
    /// When to look again whether connections can be accepted.
    pub(super) accept_at: Option<Instant>,
    pub(super) stop_requested: bool,
    /// The signal by which that was asked for.
    pub(super) stop_signal: Option<u32>,
    /// Whether a service manager looks after this process.
    pub(super) is_service: bool,
    /// Whether systemd-machined knows the pod.
    pub(super) registration: Registration,
    /// The last signal that ends programs and was passed on to the apps.
    pub(super) passed_on: Option<i32>,
    /// How often the apps were told to read their configuration again, and when last, in microseconds of
    /// `CLOCK_MONOTONIC`.
    pub(super) reloads: (u64, u64),
    pub(super) settling: Settling,
    pub(super) commands: u64,
    /// What pod init has been asked and has not answered.
    pub(super) questions: Questions,
    pub(super) interrupts: Interrupts,
    /// The user does not want to wait for the rest of the output.
    pub(super) give_up_output: bool,
    /// When nobody waits any longer for somebody to take the rest of the output.
    pub(super) give_up_output_at: Option<Instant>,
}

impl Monitor {
    pub(super) fn new(
        manifest: PodManifest,
        pod_dir: &Path,
        (init, init_pidfd, companions): (Box<dyn InitLink>, OwnedFd, Vec<OwnedFd>),
        (listener, client): (Listener, Option<SeqPacket>),
        (streams, app_notify): (Streams, AppNotify),
        peers: Option<PeerNames>,
        supervision: Option<Box<Supervision>>,
    ) -> Result<Self, StartFailure> {
        if let Some(client) = &client {
            set_nonblocking(client).map_err(StartFailure::os("set up a connection"))?;
        }
        let signals = signals::listen()?;
        let apps = manifest
            .apps
            .iter()
            .map(|app| match supervision {
                None => AppRecord::of_start(app.name.clone()),
                Some(_) => AppRecord::of_supervised(app.name.clone()),
            })
            .collect();
        let look_at_start_at = init.is_unheard().then(Instant::now);
        Ok(Self {
            new_privileges: may_gain_privileges(&manifest),
            manifest,
            pod_dir: pod_dir.to_path_buf(),
            init,
            init_pidfd,
            init_is_dead: false,
            companions,
            init_code: 0,
            init_signal: None,
            listener,
            signals,
            streams,
            clients: client.map(Client::new).into_iter().collect(),
            peers,
            supervision,
            app_notify,
            diagnostics: Diagnostics::default(),
            apps,
            started: None,
            end: None,
            kill_init_at: None,
            was_out_of_time: false,
            look_at_start_at,
            accept_at: None,
            stop_requested: false,
            stop_signal: None,
            is_service: false,
            registration: Registration::None,
            passed_on: None,
            reloads: (0, 0),
            settling: Settling::default(),
            commands: 0,
            questions: Questions::default(),
            interrupts: Interrupts::default(),
            give_up_output: false,
            give_up_output_at: None,
        })
    }

    /// Runs until everything of the pod is gone and its output delivered.
    pub(super) fn run(
        mut self,
        isolator: &mut dyn Isolator,
        caller: &mut Caller,
    ) -> Result<(PodEnd, Diagnostics), StartFailure> {
        self.is_service = caller.is_service();
        self.registration = Registration::wanted(caller.registers(), &self.manifest);
        if let Some(warning) = isolator.take_warning() {
            self.diagnostics.warn(&warning);
        }
        // Who is there already sees what apps write from the beginning: nothing of it has been read yet.
        let mut served = self.serve_clients(&vec![true; self.clients.len()], isolator);
        while !self.is_over() {
            let result = std::mem::replace(&mut served, Ok(()));
            if let Err(failure) = result.and_then(|()| self.turn(isolator, caller)) {
                // The pod can't be looked after any more, so it must not go on. What it still has to say is
                // not believed.
                self.end = Some(Err(isolator.explain(failure)));
                self.kill_init();
                // The kernel waits for what is frozen; what can't be thawed is no worse for that.
                let _ = self.resume_all(isolator);
                self.reap_init(isolator)?;
                break;
            }
        }
        // What has come in since the last turn.
        self.take_signals(isolator)?;
        self.into_end(isolator)
    }

    fn is_over(&self) -> bool {
        self.init_is_dead && (self.give_up_output || self.streams.are_drained())
    }

    /// Waits for something to happen, and deals with it.
    fn turn(
        &mut self,
        isolator: &mut dyn Isolator,
        caller: &mut Caller,
    ) -> Result<(), StartFailure> {
        let events = self.wait(caller.due())?;
        if let Some(supervision) = &mut self.supervision {
            supervision.checks.read(&events.checks);
        }
        for notification in self.init.advance(&events.link)? {
            self.receive(notification, isolator)?;
        }
        self.kill_init_that_is_done(isolator);
        if self.init.interests().is_empty() && !self.init_is_dead {
            // Pod init is on its way out, and the kernel waits for what is frozen before it ends.
            self.resume_all(isolator)?;
        }
        let are_ready = self.app_notify.read(&events.said, Instant::now());
        for app in are_ready {
            self.supervise(Event::Notified(app), isolator)?;
        }
        if events.init_died {
            // Its last words may still be on the way.
            for notification in self.init.last_words()? {
                self.receive(notification, isolator)?;
            }
            self.reap_init(isolator)?;
        }
        if events.companion_died && !self.init_is_dead {
            self.companions.clear();
            self.kill_init();
        }
        if events.signal {
            self.take_signals(isolator)?;
        }
        self.streams.advance(&events.streams);
        self.tell_cut_off();
        self.serve_clients(&events.clients, isolator)?;
        if events.connection {
            self.accept();
        }
        if events.room {
            self.diagnostics.catch_up();
        }
        self.keep_time(isolator)?;
        self.keep_supervising(isolator)?;
        self.tell_caller(caller);
        Ok(())
    }

    /// Whether the pod is what whoever waits for its start waits for.
    pub(super) fn is_up(&self) -> bool {
        match &self.supervision {
            None => self.started.is_some(),
            Some(supervision) => supervision.was_ready(),
        }
    }

    fn accept(&mut self) {
        if self.clients.len() >= CONNECTIONS_MAX || !descriptors::are_left_for_a_connection() {
            self.make_room();
        }
        match self.listener.accept() {
            Ok(socket) if set_nonblocking(&socket).is_ok() => {
                self.clients.push(Client::new(socket));
            }
            Ok(_) => {}
            // Descriptors or memory are used up. What waits would be told of at once, again and again.
            Err(_) => {
                self.make_room();
                self.accept_at = Instant::now().checked_add(ACCEPT_PAUSE);
            }
        }
    }

    /// Closes the oldest connection that waits for nothing: it has had its time. A request of its that is on the way is
    /// answered by that.
    fn make_room(&mut self) {
        let mut idle = self
            .clients
            .iter_mut()
            .filter(|client| client.is_free() && !client.has_left());
        if let Some(oldest) = idle.next() {
            oldest.failed(StartFailure::other(TOO_MANY_CONNECTIONS));
            oldest.leave();
        }
    }

    /// Does what was put off until now.
    fn keep_time(&mut self, isolator: &mut dyn Isolator) -> Result<(), StartFailure> {
        let now = Instant::now();
        self.look_at_start(now, isolator)?;
        if self.kill_init_at.is_some_and(|instant| instant <= now) {
            self.kill_init_at = None;
            self.was_out_of_time = true;
            self.kill_init();
        }
        if self.accept_at.is_some_and(|instant| instant <= now) {
            self.accept_at = None;
        }
        if self.give_up_output_at.is_some_and(|instant| instant <= now) {
            self.give_up_output = true;
        }
        self.streams.keep_time(now);
        let init = &self.init_pidfd;
        for client in &mut self.clients {
            if client.looks_at_init(now)
                && let Some(pid) = pid_of(init).filter(|pid| is_stopped(*pid))
            {
                client.hear_stopped(isolator.init_process(), pid);
            } else if client.is_late(now) {
                client.give_up();
            }
        }
        if self.started.is_some()
            && let Some(changes) = self.peers.as_mut().and_then(|peers| peers.take(now))
        {
            self.settling.begin();
            self.tell_init(&ToInit::Peers(changes))?;
        }
        if let Some(warning) = self.peers.as_mut().and_then(PeerNames::take_warning) {
            self.diagnostics.warn(&warning);
        }
        Ok(())
    }

    fn into_end(
        mut self,
        isolator: &mut dyn Isolator,
    ) -> Result<(PodEnd, Diagnostics), StartFailure> {
        self.registration.end(&self.manifest);
        // Of apps whose ends nobody told of.
        self.count_memory_kills(isolator);
        let (exit_code, failure) = match (self.end.take(), self.started) {
            (Some(Ok(exit_code)), _) => (exit_code, None),
            (Some(Err(failure)), None) => return Err(failure),
            (None, None) if self.init_code != 0 => {
                return Err(isolator.explain_end(self.init_code));
            }
            (None, None) => return Err(self.why_killed(isolator)),
            (Some(Err(failure)), Some(_)) => (failure.kind.exit_code(), Some(failure.message)),
            (None, Some(_)) => {
                let killed = Outcome::Signaled {
                    signal: 9,
                    oom_killed: false,
                };
                (killed.exit_code(), Some(self.why_killed(isolator).message))
            }
        };
        let was_asked = self.has_ended_as_asked(exit_code);
        let failure = failure.or_else(|| self.why_ended());
        let was_stopped = self.stop_requested;
        let Self {
            manifest,
            apps,
            started,
            clients,
            mut streams,
            mut diagnostics,
            ..
        } = self;
        for missing in streams.missing_in_logs() {
            diagnostics.tell(&missing);
        }
        // Output that is lost is no success, but no reason either to hide how the apps ended.
        let (exit_code, failure) = match streams.take_lost() {
            None => (exit_code, failure),
            Some(lost) if says_only_that_output_was_lost(exit_code) => {
                (lost.kind.exit_code(), Some(lost.message))
            }
            Some(lost) => (exit_code, failure.or(Some(lost.message))),
        };
        let was_out_of_memory = isolator.was_out_of_memory();
        let waiting = clients
            .into_iter()
            .filter(|client| matches!(client.awaits(), Awaited::PodEnd))
            .map(|client| client.socket)
            .collect();
        let end = PodEnd {
            manifest,
            apps,
            started,
            exit_code,
            failure,
            was_asked,
            was_stopped,
            was_out_of_memory,
            waiting,
        };
        Ok((end, diagnostics))
    }

    /// Pod init is dead, and now everything in the pod is.
    fn reap_init(&mut self, isolator: &mut dyn Isolator) -> Result<(), StartFailure> {
        let status = waitid(
            WaitId::PidFd(self.init_pidfd.as_fd()),
            WaitIdOptions::EXITED,
        )
        .map_err(StartFailure::os("reap pod init"))?;
        self.init_code = status
            .as_ref()
            .and_then(|status| status.exit_status())
            .unwrap_or_default();
        self.init_signal = status.and_then(|status| status.terminating_signal());
        self.init_is_dead = true;
        isolator.end_rest(&self.manifest);
        if self.stop_requested {
            self.give_up_output_at = Instant::now().checked_add(SLACK);
        }
        self.kill_init_at = None;
        self.streams.close_input();
        Ok(())
    }

    /// If pod init is gone, its pidfd says so next.
    pub(super) fn tell_init(&mut self, message: &ToInit) -> Result<(), StartFailure> {
        match self.init.send(message, HandedOver::Nothing) {
            Ok(()) | Err(LinkError::Gone | LinkError::Send(PodError::Ended)) => Ok(()),
            Err(_) if self.init_is_dead => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

fn set_nonblocking(fd: &impl AsFd) -> Result<(), rustix::io::Errno> {
    fcntl_setfl(fd, fcntl_getfl(fd)? | OFlags::NONBLOCK)
}
