//! What clients ask for, and what comes of it.

use std::time::Duration;

use pod::control::bounds::{CLIENTS_MAX, GRACE_MS_MAX};
use pod::control::{AppStats, Event, EventKind, LiveStatus, PodStats, Request, Response};
use pod::exit::FailureKind;
use pod::signal::SignalNumber;
use pod::timestamp::Timestamp;
use pod::{AppName, PodError};

use super::clients::{AskedCommand, Awaited, refusal};
use super::descriptors;
use super::event_loop::Monitor;
use super::isolator::Isolator;
use super::records::AppRecord;
use crate::failure::StartFailure;
use crate::link::process::pid_of;
use crate::protocol::ToInit;

/// What a request comes to.
pub(super) type Answer = Result<Option<Response>, StartFailure>;

pub(super) const DONE: Answer = Ok(Some(Response::Done));

impl Monitor {
    /// Serves what clients have sent: one request of each.
    pub(super) fn serve_clients(
        &mut self,
        ready: &[bool],
        isolator: &mut dyn Isolator,
    ) -> Result<(), StartFailure> {
        if ready.contains(&true) && self.started.is_some() {
            self.settling.begin();
        }
        for (index, _) in ready.iter().enumerate().filter(|(_, ready)| **ready) {
            if self.serve_client(index, isolator).is_none()
                && let Some(client) = self.clients.get_mut(index)
            {
                client.leave();
            }
        }
        self.let_go(isolator)?;
        self.start_commands();
        Ok(())
    }

    /// Forgets connections that are over, ends what they have started, and lets go on what they hold.
    fn let_go(&mut self, isolator: &mut dyn Isolator) -> Result<(), StartFailure> {
        let left: Vec<_> = self
            .clients
            .extract_if(.., |client| client.has_left())
            .collect();
        for app in left.iter().filter_map(|client| client.holds()) {
            // One that has left the pod meanwhile has no processes; what can't be thawed can be resumed again.
            let _ = self.resume(app, isolator);
        }
        let commands: Vec<u64> = left.iter().filter_map(|client| client.command()).collect();
        let grace_ms = self.manifest.grace_period_ms;
        commands
            .into_iter()
            .try_for_each(|id| self.tell_init(&ToInit::EndCommand { id, grace_ms }))
    }

    /// Serves one request. `None` if the connection is over.
    fn serve_client(&mut self, index: usize, isolator: &mut dyn Isolator) -> Option<()> {
        let request = match self.clients.get(index)?.socket.recv::<Request>() {
            Ok(Some((request, _))) => request,
            Ok(None) => return None,
            Err(error) => {
                let what = match error {
                    PodError::Protocol(what) => what,
                    other => other.to_string(),
                };
                let why = format!("this is not a request that the pod's monitor knows: {what}");
                let client = self.clients.get_mut(index)?;
                client.tell(&refusal(StartFailure::other(why)), &[]);
                return None;
            }
        };
        let answer = self.serve(index, request, isolator);
        let response = match answer {
            Ok(None) => return Some(()),
            Ok(Some(response)) => response,
            Err(failure) => refusal(failure),
        };
        self.clients.get_mut(index)?.tell(&response, &[]);
        Some(())
    }

    fn serve(&mut self, index: usize, request: Request, isolator: &mut dyn Isolator) -> Answer {
        match request {
            Request::Status => {
                self.count_memory_kills(isolator);
                Ok(Some(Response::Status(self.status(isolator))))
            }
            Request::Stop { grace_ms } => {
                let grace = self.grace(grace_ms);
                self.stop(grace, isolator)?;
                DONE
            }
            Request::Signal { app, signal } => {
                if let Some(app) = &app {
                    self.known(app)?;
                }
                if signal == SignalNumber::KILL {
                    // On version 1, what is frozen can't be killed.
                    match &app {
                        Some(app) => self.resume(app, isolator)?,
                        None => self.resume_all(isolator)?,
                    }
                }
                let signal = signal.number();
                self.tell_init(&ToInit::Signal { app, signal })?;
                DONE
            }
            Request::Exec(request) => {
                self.await_turn(index, AskedCommand::of_program(request, None))
            }
            Request::ExecAs { command, user } => {
                self.await_turn(index, AskedCommand::of_program(command, Some(user)))
            }
            Request::Copy(asked) => self.await_turn(index, AskedCommand::of_copy(asked)),
            Request::Resize(size) => {
                let terminal = self.clients.get(index).and_then(|client| client.terminal());
                if let Some(terminal) = terminal {
                    self.tell_init(&ToInit::Resize { terminal, size })?;
                }
                Ok(None)
            }
            Request::AddApp(add) => {
                self.add_app(add.app, isolator)?;
                DONE
            }
            Request::StartApp(start) => {
                self.free(index)?;
                if !descriptors::are_left(descriptors::OF_A_COMMAND) {
                    return Err(descriptors::too_many());
                }
                let app = start.app.clone();
                self.start_app(*start, isolator)?;
                self.await_at(index, Awaited::Start(app))
            }
            Request::NotStarted { app, why } => {
                self.free(index)?;
                self.give_up_start(&app, why, isolator)?;
                DONE
            }
            Request::StopApp { app, grace_ms } => {
                self.free(index)?;
                let runs = self.known(&app)?.runs_or_starts();
                if !runs && self.supervision.is_none() {
                    return DONE;
                }
                let grace = self.grace(grace_ms);
                self.end_app(&app, grace, isolator)?;
                if !runs {
                    // It may have waited to start again.
                    return DONE;
                }
                self.await_at(index, Awaited::Stop(app))
            }
            Request::RemoveApp { app, force } => {
                self.free(index)?;
                let record = self.known(&app)?;
                if !record.runs_or_starts() {
                    self.remove_app(&app, isolator)?;
                    return DONE;
                }
                if !force {
                    let state = match record.starting {
                        true => "is being started",
                        false => "runs",
                    };
                    return Err(StartFailure::other(format!(
                        "app {app} of pod {} {state}; stop it first, or force its removal",
                        self.manifest.called()
                    )));
                }
                self.end_app(&app, Duration::ZERO, isolator)?;
                self.await_at(index, Awaited::Removal(app))
            }
            Request::Attach(request) => {
                self.free(index)?;
                // It would show nothing, and pass no signal on.
                self.is_thawed(request.app.as_ref())?;
                self.attach(index, request)
            }
            Request::Stats { app } => {
                let whole = app.is_none().then(|| isolator.stats_of_pod());
                let network = isolator.network_use();
                if isolator.asks_pod_init() {
                    let apps = self.chosen(app)?;
                    return self.ask_stats(index, apps, (whole, network));
                }
                let apps = self.stats(app, isolator)?;
                let time = Timestamp::now();
                let stats = PodStats {
                    time,
                    apps,
                    whole,
                    network,
                };
                Ok(Some(Response::Stats(Box::new(stats))))
            }
            Request::Processes if isolator.asks_pod_init() => self.ask_processes(index),
            Request::Processes => Err(StartFailure::other(
                "the processes of this pod are the host's, which shows them",
            )),
            Request::Update { app, resources } => self.update(index, &app, *resources, isolator),
            Request::Limit { app, resources } => match app {
                Some(app) => self.limit_app(index, &app, &resources, isolator),
                None => self.limit_pod(index, &resources, isolator),
            },
            Request::ReopenLog { app } => {
                if let Some(app) = &app {
                    self.known(app)?;
                }
                self.streams.reopen_logs(app.as_ref())?;
                DONE
            }
            Request::Pause { app } => {
                let apps = self.chosen(app)?;
                if apps.is_empty() {
                    return Err(StartFailure::other("no app of the pod runs"));
                }
                if isolator.asks_pod_init() {
                    return self.ask_pause(index, self.which(apps, false), None);
                }
                for app in apps {
                    self.pause(&app, isolator)?;
                }
                DONE
            }
            Request::Hold { app } => {
                self.free(index)?;
                if !self.known(&app)?.paused {
                    if isolator.asks_pod_init() {
                        return self.ask_pause(index, vec![app.clone()], Some(app));
                    }
                    self.pause(&app, isolator)?;
                    self.await_at(index, Awaited::Release(app))?;
                }
                DONE
            }
            Request::Resume { app } => {
                let apps = self.chosen(app)?;
                if isolator.asks_pod_init() {
                    return self.ask_resume(index, self.which(apps, true));
                }
                for app in apps {
                    self.resume(&app, isolator)?;
                }
                DONE
            }
            Request::Wait { app } => {
                self.free(index)?;
                let Some(app) = app else {
                    return self.await_at(index, Awaited::PodEnd);
                };
                let record = self.known(&app)?;
                if record.runs_or_starts() {
                    return self.await_at(index, Awaited::AppEnd(app));
                }
                let outcome = record.end.map(|(_, outcome)| outcome);
                Ok(Some(Response::AppEnded { app, outcome }))
            }
            Request::Rename { name } => {
                self.rename(name)?;
                DONE
            }
            Request::Events => {
                self.free(index)?;
                if let Some(client) = self.clients.get_mut(index) {
                    client.await_this(Awaited::Events);
                }
                DONE
            }
        }
    }

    fn await_turn(&mut self, index: usize, asked: AskedCommand) -> Answer {
        self.free(index)?;
        self.is_thawed(asked.request.app.as_ref())?;
        self.await_at(index, Awaited::Turn(Box::new(asked)))
    }

    pub(super) fn await_at(&mut self, index: usize, awaited: Awaited) -> Answer {
        if let Some(client) = self.clients.get_mut(index) {
            client.await_this(awaited);
        }
        Ok(None)
    }

    /// Whether this connection may begin to wait for something.
    pub(super) fn free(&self, index: usize) -> Result<(), StartFailure> {
        if self
            .clients
            .get(index)
            .is_some_and(|client| !client.is_free())
        {
            return Err(StartFailure::other(
                "this connection waits for something else already",
            ));
        }
        let waiting = self.clients.iter().filter(|client| !client.is_free());
        match waiting.count() {
            CLIENTS_MAX.. => Err(StartFailure {
                kind: FailureKind::TooMany,
                message: format!("{CLIENTS_MAX} clients of this pod wait for something already"),
            }),
            _ if !descriptors::are_left(descriptors::OF_A_WAIT) => Err(descriptors::too_many()),
            _ => Ok(()),
        }
    }

    /// The time that a stop gives, or the pod's own.
    fn grace(&self, asked_ms: Option<u64>) -> Duration {
        let grace = asked_ms.unwrap_or(self.manifest.grace_period_ms);
        Duration::from_millis(grace.min(GRACE_MS_MAX))
    }

    pub(super) fn known(&self, app: &AppName) -> Result<&AppRecord, StartFailure> {
        self.apps
            .iter()
            .find(|record| record.name == *app)
            .ok_or_else(|| {
                let names: Vec<&str> = self.apps.iter().map(|app| app.name.as_str()).collect();
                let names = match names.is_empty() {
                    true => "none".to_owned(),
                    false => names.join(", "),
                };
                let pod = self.manifest.called();
                StartFailure::other(format!("pod {pod} has no app `{app}`; it has {names}"))
            })
    }

    /// Whether a command in this app, or in the only one, would be as frozen as the app. It would not be: what enters
    /// the cgroup of a frozen app runs, in cgroups of version 1.
    pub(super) fn is_thawed(&self, app: Option<&AppName>) -> Result<(), StartFailure> {
        let paused = self.apps.iter().filter(|record| record.paused);
        let mut meant = paused.filter(|record| match app {
            Some(app) => record.name == *app,
            None => self.apps.len() == 1,
        });
        match meant.next() {
            Some(record) => Err(StartFailure::other(format!(
                "app {} is paused",
                record.name
            ))),
            None => Ok(()),
        }
    }

    /// One app, which must run, or all that do.
    pub(super) fn chosen(&self, app: Option<AppName>) -> Result<Vec<AppName>, StartFailure> {
        match app {
            Some(app) => match self.known(&app)?.is_running() {
                true => Ok(vec![app]),
                false => Err(StartFailure::other(format!("app {app} does not run"))),
            },
            None => {
                let running = self.apps.iter().filter(|record| record.is_running());
                Ok(running.map(|record| record.name.clone()).collect())
            }
        }
    }

    /// Those of these apps that are paused, or those that are not.
    fn which(&self, mut apps: Vec<AppName>, paused: bool) -> Vec<AppName> {
        apps.retain(|app| self.known(app).is_ok_and(|record| record.paused == paused));
        apps
    }

    fn stats(
        &self,
        app: Option<AppName>,
        isolator: &mut dyn Isolator,
    ) -> Result<Vec<AppStats>, StartFailure> {
        let chosen = self.chosen(app)?;
        Ok(chosen.iter().map(|app| isolator.stats(app)).collect())
    }

    /// Tells those who want to know. One that doesn't read is dropped.
    pub(super) fn emit(&mut self, app: Option<AppName>, kind: EventKind) {
        let mut watching = self
            .clients
            .iter_mut()
            .filter(|client| matches!(client.awaits(), Awaited::Events))
            .peekable();
        if watching.peek().is_none() {
            return;
        }
        let time = Timestamp::now();
        let event = Response::Event(Event { time, app, kind });
        for client in watching {
            client.tell(&event, &[]);
        }
    }

    fn status(&self, isolator: &dyn Isolator) -> LiveStatus {
        LiveStatus {
            monitor_pid: std::process::id().try_into().unwrap_or_default(),
            init_pid: pid_of(&self.init_pidfd).unwrap_or_default(),
            network_namespace: isolator.network_namespace(),
            started: self.started,
            stopping: self.stop_requested,
            apps: self.apps.iter().map(AppRecord::live).collect(),
        }
    }
}
