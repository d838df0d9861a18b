//! Cgroups of apps that pod init has, in a machine of its own: it is asked, and nobody but the client waits for the
//! answer. Pod init is not trusted: an answer counts for what was asked, and one that does not come costs the client some
//! seconds.

use std::collections::{BTreeMap, BTreeSet};

use pod::AppName;
use pod::control::{EventKind, NetworkUse, PodStats, Response, Usage};
use pod::manifest::{Memory, Resources};
use pod::processes::PodProcess;
use pod::timestamp::Timestamp;

use super::clients::{Awaited, refusal};
use super::event_loop::Monitor;
use super::isolator::Isolator;
use super::requests::Answer;
use crate::failure::{StartFailure, one_line};
use crate::link::LinkError;
use crate::protocol::ToInit;
use crate::protocol::{COMMAND_MAX, CgroupAnswer, CgroupRequest, PROCESSES_MAX};

/// Most bytes of a reason that pod init gives.
const REASON_MAX: usize = 1 << 10;

/// What pod init has been asked and has not answered yet.
#[derive(Debug, Default)]
pub(super) struct Questions {
    last: u64,
    open: BTreeMap<u64, Then>,
}

/// What an answer is for.
#[derive(Debug)]
pub(super) enum Then {
    /// Figures for a client.
    Count {
        apps: Vec<AppName>,
        whole: Option<Box<Usage>>,
        network: Option<NetworkUse>,
    },
    /// Processes for a client.
    Processes,
    /// An app has other limits.
    Limit {
        app: AppName,
        before: Box<Resources>,
        after: Box<Resources>,
    },
    /// All apps together have other limits. Those of the host have been changed already.
    LimitPod {
        before: Box<Resources>,
        after: Box<Resources>,
    },
    /// These apps are paused, but for those that were resumed meanwhile.
    Pause {
        apps: Vec<AppName>,
        resumed: BTreeSet<AppName>,
    },
    /// They are not any more.
    Resume { apps: Vec<AppName> },
}

impl Questions {
    fn number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// Whether an app is about to be paused.
    pub(super) fn pause(&self, app: &AppName) -> bool {
        self.open.values().any(|then| match then {
            Then::Pause { apps, resumed } => apps.contains(app) && !resumed.contains(app),
            _ => false,
        })
    }

    /// It is not to be paused after all.
    fn take_back_pause(&mut self, app: &AppName) {
        for then in self.open.values_mut() {
            if let Then::Pause { apps, resumed } = then
                && apps.contains(app)
            {
                resumed.insert(app.clone());
            }
        }
    }

    /// Whether limits of an app, or of all together, are being changed.
    fn limit(&self, app: Option<&AppName>) -> bool {
        self.open.values().any(|then| match then {
            Then::Limit { app: limited, .. } => app == Some(limited),
            Then::LimitPod { .. } => app.is_none(),
            _ => false,
        })
    }
}

/// What of a pod's limits pod init sees to: the rest is the host's, which has the whole machine.
pub(super) fn of_apps_together(resources: &Resources) -> Resources {
    Resources {
        memory: Memory {
            limit: resources.memory.limit,
            ..Memory::default()
        },
        pids: resources.pids,
        ..Resources::default()
    }
}

impl Monitor {
    /// Asks pod init. The client hears what came of it, and holds an app from then on if it is to.
    pub(super) fn ask(
        &mut self,
        index: usize,
        request: CgroupRequest,
        then: Then,
        holds: Option<AppName>,
    ) -> Answer {
        self.free(index)?;
        if self.init_is_dead {
            return Err(StartFailure::other("the pod has ended"));
        }
        let awaited = |id: &u64| {
            let mut clients = self.clients.iter();
            clients.any(|client| client.waits_for_answer(*id))
        };
        // Nobody wants figures any more whose client has gone.
        let forgotten = |id: &u64, then: &Then| {
            matches!(then, Then::Count { .. } | Then::Processes) && !awaited(id)
        };
        let open = std::mem::take(&mut self.questions.open).into_iter();
        self.questions.open = open.filter(|(id, then)| !forgotten(id, then)).collect();
        let id = self.questions.number();
        self.tell_init(&ToInit::Cgroups { id, request })?;
        self.questions.open.insert(id, then);
        self.await_at(index, Awaited::Answer { id, holds })
    }

    /// Asks what apps use.
    pub(super) fn ask_stats(
        &mut self,
        index: usize,
        apps: Vec<AppName>,
        (whole, network): (Option<Usage>, Option<NetworkUse>),
    ) -> Answer {
        let request = CgroupRequest::Count { apps: apps.clone() };
        let then = Then::Count {
            apps,
            whole: whole.map(Box::new),
            network,
        };
        self.ask(index, request, then, None)
    }

    /// Asks which processes there are.
    pub(super) fn ask_processes(&mut self, index: usize) -> Answer {
        self.ask(index, CgroupRequest::Processes, Then::Processes, None)
    }

    /// Has an app limited, if none of its limits are being changed.
    pub(super) fn ask_limit(
        &mut self,
        index: usize,
        app: &AppName,
        resources: Resources,
        (before, after): (Resources, Resources),
    ) -> Answer {
        self.no_limit_changes(Some(app))?;
        let request = CgroupRequest::Limit {
            app: Some(app.clone()),
            resources: Box::new(resources),
        };
        let then = Then::Limit {
            app: app.clone(),
            before: Box::new(before),
            after: Box::new(after),
        };
        self.ask(index, request, then, None)
    }

    /// The same for all together. The host's part is done.
    pub(super) fn ask_pod_limit(
        &mut self,
        index: usize,
        resources: &Resources,
        (before, after): (Resources, Resources),
    ) -> Answer {
        let request = CgroupRequest::Limit {
            app: None,
            resources: Box::new(of_apps_together(resources)),
        };
        let (before, after) = (Box::new(before), Box::new(after));
        self.ask(index, request, Then::LimitPod { before, after }, None)
    }

    /// Whether limits can be changed now.
    pub(super) fn no_limit_changes(&self, app: Option<&AppName>) -> Result<(), StartFailure> {
        match self.questions.limit(app) {
            true => Err(StartFailure::other(
                "these limits are being changed already, and pod init has not answered yet",
            )),
            false => Ok(()),
        }
    }

    /// Has apps paused, of which none is.
    pub(super) fn ask_pause(
        &mut self,
        index: usize,
        apps: Vec<AppName>,
        holds: Option<AppName>,
    ) -> Answer {
        self.is_open()?;
        if let Some(app) = apps.iter().find(|app| self.questions.pause(app)) {
            let why = format!("app {app} is being paused already");
            return Err(StartFailure::other(why));
        }
        let request = CgroupRequest::Freeze { apps: apps.clone() };
        let resumed = BTreeSet::new();
        self.ask(index, request, Then::Pause { apps, resumed }, holds)
    }

    /// Has apps go on, and hears whether they do.
    pub(super) fn ask_resume(&mut self, index: usize, apps: Vec<AppName>) -> Answer {
        let request = CgroupRequest::Thaw { apps: apps.clone() };
        self.ask(index, request, Then::Resume { apps }, None)
    }

    /// Has an app go on that is about to be told something, which comes behind this.
    pub(super) fn thaw_in_machine(&mut self, app: &AppName) -> Result<(), StartFailure> {
        let is_paused = self.known(app)?.paused;
        if !is_paused && !self.questions.pause(app) {
            return Ok(());
        }
        self.questions.take_back_pause(app);
        let id = self.questions.number();
        let apps = vec![app.clone()];
        let request = CgroupRequest::Thaw { apps };
        // Nobody waits for that answer.
        self.tell_init(&ToInit::Cgroups { id, request })?;
        if is_paused {
            self.note_paused(app, false);
        }
        Ok(())
    }

    fn note_paused(&mut self, app: &AppName, paused: bool) {
        let Some(record) = self.record(app).filter(|record| record.is_running()) else {
            return;
        };
        record.paused = paused;
        let kind = match paused {
            true => EventKind::Paused,
            false => EventKind::Resumed,
        };
        self.emit(Some(app.clone()), kind);
    }

    /// Pod init has answered. One that answers what nobody has asked is late.
    ///
    /// # Errors
    /// If it answers something else than was asked.
    pub(super) fn answered(
        &mut self,
        id: u64,
        answer: CgroupAnswer,
        isolator: &mut dyn Isolator,
    ) -> Result<(), StartFailure> {
        let Some(then) = self.questions.open.remove(&id) else {
            return Ok(());
        };
        let response = match (then, answer) {
            (then, CgroupAnswer::Failed { reason }) => {
                if let Then::LimitPod { before, after } = then {
                    let none = pod::manifest::Limit::Unlimited;
                    // The first failure is the one to tell of.
                    let _ = isolator.update_pod(&after.changed_to(&before, none));
                }
                Err(StartFailure::other(brief(&reason)))
            }
            (
                Then::Count {
                    apps,
                    whole,
                    network,
                },
                CgroupAnswer::Counted { apps: counted },
            ) => {
                let counted: BTreeMap<_, _> = counted.into_iter().collect();
                let figures = |app: AppName| {
                    let figures = counted.get(&app).copied().unwrap_or_default();
                    figures.of_app(app)
                };
                Ok(Response::Stats(Box::new(PodStats {
                    time: Timestamp::now(),
                    apps: apps.into_iter().map(figures).collect(),
                    whole: whole.map(|whole| *whole),
                    network,
                })))
            }
            (Then::Processes, CgroupAnswer::Processes { processes }) => Ok(Response::Processes {
                processes: self.of_apps(processes),
            }),
            (Then::Limit { app, before, after }, CgroupAnswer::Done) => {
                self.limited(&app, &before, *after).map(|()| Response::Done)
            }
            (Then::LimitPod { after, .. }, CgroupAnswer::Done) => {
                let mut manifest = self.manifest.clone();
                manifest.resources = *after;
                let written = self.write(manifest);
                written.map(|()| {
                    self.emit(None, EventKind::Updated);
                    Response::Done
                })
            }
            (Then::Pause { apps, resumed }, CgroupAnswer::Done) => {
                for app in apps.iter().filter(|app| !resumed.contains(app)) {
                    self.note_paused(app, true);
                }
                match resumed.first() {
                    None => Ok(Response::Done),
                    Some(app) => Err(StartFailure::other(format!(
                        "app {app} has been resumed meanwhile"
                    ))),
                }
            }
            (Then::Resume { apps }, CgroupAnswer::Done) => {
                for app in &apps {
                    self.note_paused(app, false);
                }
                Ok(Response::Done)
            }
            (_, _) => {
                let what = "the answer is not one to what was asked".to_owned();
                return Err(LinkError::Protocol(what).into());
            }
        };
        let is_done = response.is_ok();
        let response = response.unwrap_or_else(refusal);
        for client in &mut self.clients {
            client.hear_answer(id, &response, is_done);
        }
        Ok(())
    }

    /// Processes of which pod init tells, as far as they can be.
    fn of_apps(&self, mut processes: Vec<PodProcess>) -> Vec<PodProcess> {
        processes.truncate(PROCESSES_MAX);
        for process in &mut processes {
            let end = process.command.floor_char_boundary(COMMAND_MAX);
            process.command = one_line(process.command.get(..end).unwrap_or_default());
            process.state = Some(process.state)
                .filter(char::is_ascii_alphabetic)
                .unwrap_or('?');
            // No process of the host's, and of no app that there is not.
            process.pid = None;
            process.app = process.app.take().filter(|app| self.known(app).is_ok());
        }
        processes
    }

    /// An app has other limits, which are the manifest's from now on.
    fn limited(
        &mut self,
        app: &AppName,
        before: &Resources,
        after: Resources,
    ) -> Result<(), StartFailure> {
        let mut manifest = self.manifest.clone();
        for entry in manifest.apps.iter_mut().filter(|entry| entry.name == *app) {
            entry.resources = after.clone();
        }
        if let Err(failure) = self.write(manifest) {
            // The manifest says what holds: back to that. What can't be set back is told by the first failure.
            let back = after.changed_to(before, self.manifest.bounds.pids);
            let id = self.questions.number();
            let request = CgroupRequest::Limit {
                app: Some(app.clone()),
                resources: Box::new(back),
            };
            let _ = self.tell_init(&ToInit::Cgroups { id, request });
            return Err(failure);
        }
        self.emit(Some(app.clone()), EventKind::Updated);
        Ok(())
    }
}

/// A reason of pod init's, as far as it is told.
fn brief(reason: &str) -> String {
    let length = reason.floor_char_boundary(REASON_MAX);
    one_line(reason.get(..length).unwrap_or_default())
}
