//! What pod init says, and what comes of it.

use std::os::fd::OwnedFd;
use std::path::Path;

use pod::control::{EventKind, Response};
use pod::exit::{OutOfMemory, Outcome};
use pod::machine::MachineRecord;
use pod::manifest::{AppFailure, CRI_ANNOTATION, CRI_UP_FILE, Lifetime, Resources};
use pod::timestamp::Timestamp;
use pod::{AppName, app_dir};
use supervisor::Event;

use super::clients::{Awaited, Client, refusal};
use super::event_loop::Monitor;
use super::isolator::Isolator;
use super::last_words;
use super::records::brief;
use super::supervision::PodOutcome;
use crate::failure::{StartFailure, in_units};
use crate::link::stream::StreamId;
use crate::link::{InitNotification, Process};
use crate::protocol::FromInit;

impl Monitor {
    /// Takes one message of pod init.
    pub(super) fn receive(
        &mut self,
        notification: InitNotification,
        isolator: &mut dyn Isolator,
    ) -> Result<(), StartFailure> {
        let InitNotification {
            message,
            process,
            terminal,
        } = notification;
        match message {
            FromInit::AppStarted {
                app,
                terminal: stream,
            } => {
                self.app_started(&app, process, stream.zip(terminal))?;
                self.supervise(Event::Started(app), isolator)?;
            }
            FromInit::Started => {
                // From here on it takes containers; and when nobody listens any more, it doesn't look as if it were still to
                // come up.
                if self.manifest.annotations.contains_key(CRI_ANNOTATION) {
                    super::mark(&self.pod_dir, CRI_UP_FILE)?;
                }
                self.started = Some(Timestamp::now());
                self.settling.begin();
                self.emit(None, EventKind::Started);
                self.supervise(Event::Begun, isolator)?;
            }
            FromInit::AppFailed { app, failure } if self.supervision.is_some() => {
                let event = self.not_started(&app, failure, isolator);
                self.supervise(event, isolator)?;
            }
            FromInit::AppFailed { app, failure } => self.app_failed(&app, failure, isolator),
            FromInit::Failed(failure) => self.end = Some(Err(self.interrupted(failure))),
            FromInit::AppExited {
                app,
                outcome,
                oom_kills,
                out_of_memory,
            } => {
                if let Some(record) = self.record(&app) {
                    record.oom_kills = oom_kills;
                    record.out_of_memory = out_of_memory;
                }
                self.app_exited(&app, outcome, isolator)?;
            }
            FromInit::OomKills { app, oom_kills } => {
                if let Some(record) = self.record(&app) {
                    record.oom_kills = Some(oom_kills);
                }
            }
            FromInit::Cgroups { id, answer } => self.answered(id, answer, isolator)?,
            FromInit::Finished { exit_code } => self.finished(exit_code),
            FromInit::PeersUpdated { failure } => {
                if let Some(peers) = &mut self.peers {
                    peers.told(failure.as_deref());
                }
            }
            FromInit::ExecStarted { id, .. } => {
                if let Some(client) = self.client_of(id) {
                    client.started(process, terminal);
                }
            }
            FromInit::ExecFailed { id, failure } => {
                if let Some(client) = self.client_of(id) {
                    let terminal = client.terminal();
                    client.failed(failure);
                    if let Some(terminal) = terminal {
                        self.init.forget_terminal(terminal);
                    }
                } else {
                    self.check_not_started(id, &failure, isolator)?;
                }
            }
            FromInit::ExecExited {
                id,
                outcome,
                timed_out,
            } => {
                if let Some(client) = self.client_of(id) {
                    client.ended(outcome, timed_out);
                } else {
                    self.check_ended(id, outcome, isolator)?;
                }
            }
            FromInit::Probed { id, outcome } => self.probed(id, outcome, isolator)?,
        }
        Ok(())
    }

    fn app_started(
        &mut self,
        name: &AppName,
        process: Option<Process>,
        terminal: Option<(StreamId, OwnedFd)>,
    ) -> Result<(), StartFailure> {
        let stream = terminal.as_ref().map(|(stream, _)| *stream);
        // Nothing but a disk that fails keeps it from that; the app runs, and a later look at it tells less.
        if let Err(error) = app_dir::mark_started(&self.pod_dir, name) {
            self.diagnostics.tell(&error.to_string());
        }
        if let Some(app) = self.record(name) {
            app.started = Some(Timestamp::now());
            app.process = process;
            app.terminal = stream;
            app.starting = false;
            app.is_condemned = false;
            app.end = None;
            app.oom_kills = None;
            app.out_of_memory = None;
        }
        if let (Some((stream, terminal)), Some(app)) = (terminal, self.manifest.app(name)) {
            self.streams.attach_terminal(app, stream, terminal)?;
        }
        self.attach_waiting(name);
        self.answer(|awaited| match awaited {
            Awaited::Start(app) if app == name => Some(Response::Done),
            _ => None,
        });
        if self.started.is_some() {
            self.emit(Some(name.clone()), EventKind::Started);
        }
        Ok(())
    }

    /// Pod init has ended the pod.
    fn finished(&mut self, exit_code: i32) {
        let outcome = match &mut self.supervision {
            None => PodOutcome::Ended(exit_code),
            Some(supervision) => supervision.outcome(exit_code),
        };
        self.end = Some(match outcome {
            PodOutcome::Ended(exit_code) => Ok(exit_code),
            PodOutcome::NotStarted(failure) => {
                // A pod of which nothing could be started has never been up.
                self.started = None;
                Err(self.interrupted(failure))
            }
        });
    }

    /// Who ended a start by a signal wants to hear of that.
    pub(super) fn interrupted(&self, failure: StartFailure) -> StartFailure {
        match self.stop_signal.filter(|_| self.started.is_none()) {
            Some(signal) => StartFailure::interrupted(signal, &failure),
            None => failure,
        }
    }

    /// An app could not be started, or was stopped before it was.
    pub(super) fn app_failed(
        &mut self,
        name: &AppName,
        failure: StartFailure,
        isolator: &mut dyn Isolator,
    ) {
        let outcome = Outcome::NotStarted {
            failure: failure.kind,
        };
        if let Some(app) = self.record(name) {
            app.starting = false;
            app.started = None;
            app.end = Some((Timestamp::now(), outcome));
            app.not_started = Some(brief(&failure.message));
            // What is on record is how it ended before.
            app.stored = false;
        }
        self.streams.app_ended(name);
        self.note_end(name);
        self.remove_where_awaited(name, isolator);
        let refused = refusal(failure);
        self.answer(|awaited| match awaited {
            Awaited::Start(app) | Awaited::Attachment(app, _) | Awaited::AttachedEnd(app, ..)
                if app == name =>
            {
                Some(refused.clone())
            }
            Awaited::Stop(app) if app == name => Some(Response::Done),
            Awaited::AppEnd(app) if app == name => Some(Response::AppEnded {
                app: app.clone(),
                outcome: Some(outcome),
            }),
            _ => None,
        });
    }

    /// Writes down how an app has ended, while the pod goes on.
    fn note_end(&mut self, name: &AppName) {
        let pod_dir = self.pod_dir.clone();
        let stored = self.record(name).map(|record| record.store(&pod_dir));
        if let Some(Err(error)) = stored {
            // It is tried again at the pod's end.
            self.diagnostics.tell(&error.to_string());
        }
    }

    fn app_exited(
        &mut self,
        name: &AppName,
        outcome: Outcome,
        isolator: &mut dyn Isolator,
    ) -> Result<(), StartFailure> {
        let outcome = match outcome {
            Outcome::Signaled { signal, oom_killed } => Outcome::Signaled {
                signal,
                // A pod that is being ended is killed by us.
                oom_killed: oom_killed && !self.stop_requested,
            },
            other => other,
        };
        self.tell_of_memory(name, outcome);
        // Its cgroup counts until it is taken back.
        let oom_kills = isolator.oom_kills(name);
        if let Some(app) = self.record(name) {
            app.process = None;
            app.terminal = None;
            app.paused = false;
            app.oom_kills = oom_kills.or(app.oom_kills);
            app.end = Some((Timestamp::now(), outcome));
        }
        self.note_last_words(name, outcome);
        self.streams.app_ended(name);
        if outcome.exit_code() != 0
            && self.supervision.is_none()
            && self.manifest.on_app_failure == AppFailure::StopPod
        {
            // Pod init ends the pod, and what is frozen hears nothing of that.
            let _ = self.resume_all(isolator);
        }
        let stays = self.manifest.lifetime == Lifetime::UntilStopped || self.supervision.is_some();
        if stays || self.apps.iter().any(|app| app.end.is_none()) {
            self.note_end(name);
        }
        self.emit(Some(name.clone()), EventKind::Exited { outcome });
        self.app_notify.forget(name);
        let (app, code) = (name.clone(), outcome.exit_code());
        self.supervise(Event::Exited { app, code }, isolator)?;
        self.remove_where_awaited(name, isolator);
        self.answer(|awaited| match awaited {
            Awaited::Stop(app) if app == name => Some(Response::Done),
            Awaited::AppEnd(app) | Awaited::AttachedEnd(app, ..) if app == name => {
                Some(Response::AppEnded {
                    app: app.clone(),
                    outcome: Some(outcome),
                })
            }
            _ => None,
        });
        Ok(())
    }

    /// Takes what an app has left as its last words.
    fn note_last_words(&mut self, name: &AppName, outcome: Outcome) {
        let Some(app) = self.manifest.app(name) else {
            return;
        };
        if app.termination_message.is_none() {
            return;
        }
        // What it has written before its end is in its log now.
        let streams = self.streams.interests().len();
        self.streams.advance(&vec![true; streams]);
        let message = last_words::read(&self.pod_dir, app, !outcome.is_success());
        if let Some(record) = self.record(name) {
            record.message = message;
        }
    }

    /// Tells who sees standard error that an app is gone because it had no memory left: its program can't.
    fn tell_of_memory(&mut self, name: &AppName, outcome: Outcome) {
        let Outcome::Signaled {
            oom_killed: true, ..
        } = outcome
        else {
            return;
        };
        let whose = self.record(name).and_then(|record| record.out_of_memory);
        let most = |resources: &Resources| resources.memory.limit?.value();
        let of_app = self.manifest.app(name).and_then(|app| most(&app.resources));
        let of_pod = most(&self.manifest.resources);
        let (whose, limit) = match whose {
            // The kernel doesn't say whose limit it was: the app has none.
            None if of_app.is_none() && of_pod.is_some() => (Some(OutOfMemory::Pod), of_pod),
            None | Some(OutOfMemory::App) => (whose, of_app),
            Some(OutOfMemory::Pod) => (whose, of_pod),
            Some(OutOfMemory::Machine | OutOfMemory::Host) => (whose, None),
        };
        let mut limit =
            limit.map_or_else(String::new, |bytes| format!(" (limit {})", in_units(bytes)));
        // The working directory is the pod's. Where it doesn't tell, there is nothing to add.
        if whose == Some(OutOfMemory::Machine)
            && let Ok(Some(machine)) = MachineRecord::load(Path::new("."))
        {
            let size = in_units(machine.memory << 20);
            limit = format!(" (it has {size}; --kvm-memory sets that)");
        }
        let whose = whose.map_or("", OutOfMemory::words);
        let line = format!("app {name}: killed: out of memory{whose}{limit}");
        self.diagnostics.tell(&line);
    }

    /// Takes an app that has ended out of the pod, if a client waits for that.
    fn remove_where_awaited(&mut self, name: &AppName, isolator: &mut dyn Isolator) {
        let is_removal =
            |client: &Client| matches!(client.awaits(), Awaited::Removal(app) if app == name);
        if !self.clients.iter().any(is_removal) {
            return;
        }
        let response = match self.remove_app(name, isolator) {
            Ok(()) => Response::Done,
            Err(failure) => refusal(failure),
        };
        self.answer(|awaited| match awaited {
            Awaited::Removal(app) if app == name => Some(response.clone()),
            _ => None,
        });
    }

    /// Answers those for whom the wait is over.
    fn answer(&mut self, response: impl Fn(&Awaited) -> Option<Response>) {
        for client in &mut self.clients {
            if let Some(response) = response(client.awaits()) {
                client.end_wait(&response);
            }
        }
    }

    fn client_of(&mut self, command: u64) -> Option<&mut Client> {
        self.clients
            .iter_mut()
            .find(|client| client.waits_for_command(command))
    }
}
