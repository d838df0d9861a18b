//! Waiting until a pod, or an app of it, comes to be in some state. What changes is told, by the pod's monitor while there
//! is one and by the kernel otherwise, and not looked for.

use std::fmt;
use std::os::fd::AsFd;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::inotify::AddWatchFlags;
use pod::control::{AppState, LiveApp, LiveStatus, Request, Response};
use pod::seqpacket::SeqPacket;
use pod::{AppName, Phase, PodEntry, PodUuid, PodsDir, State};

use super::connection::{ask, connect_when_up, live_status, unexpected, wait_readable};
use super::wait::recorded;
use super::{ending, known_app};
use crate::changes::Changes;
use crate::config::directories::Directories;
use crate::error::{Error, MonitorError};

/// Between two looks at a pod that is being prepared: the kernel tells nobody that this was given up.
const MAYBE_ABORTED: Duration = Duration::from_millis(200);

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// It is there, and has not been started.
    Created,
    /// It runs, and is not frozen.
    Running,
    /// All of it that runs is frozen.
    Paused,
    /// The pod is being stopped.
    Stopping,
    /// What of it runs is ready, by its health checks.
    Healthy,
    /// Something of it that runs is not ready, and a check has said why.
    Unhealthy,
    /// It has ended.
    Exited,
    /// It is being removed, or gone.
    Removing,
    /// It is gone.
    Removed,
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Created => "created",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Stopping => "stopping",
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
            Self::Exited => "exited",
            Self::Removing => "removing",
            Self::Removed => "removed",
        })
    }
}

/// What has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reached {
    /// The end, with the exit code, unless nobody knows it.
    End(Option<i32>),
    /// Another one.
    State(Condition),
}

/// Waits until one of these is so of a pod, or of an app of it.
///
/// # Errors
/// [`Error::NeverAgain`] if none of them can come any more; if there is no such app, or nobody can be asked.
pub fn wait_for(
    uuid: PodUuid,
    directories: &Directories,
    app: Option<&AppName>,
    conditions: &[Condition],
) -> Result<Reached, Error> {
    let waiting = Waiting {
        pods: PodsDir::new(&directories.data),
        uuid,
        directories,
        app,
        conditions,
    };
    loop {
        // Watched first: what comes between the look and the wait is told then.
        let changes = waiting.watch()?;
        match waiting.look()? {
            Look::Reached(reached) => return Ok(reached),
            Look::Again => {}
            Look::At(patience) => waiting.wait(&changes, patience)?,
        }
    }
}

struct Waiting<'a> {
    pods: PodsDir,
    uuid: PodUuid,
    directories: &'a Directories,
    app: Option<&'a AppName>,
    conditions: &'a [Condition],
}

/// What a look at a pod comes to.
enum Look {
    Reached(Reached),
    /// It has changed meanwhile.
    Again,
    /// The next one is due when its directory has moved, or after so long.
    At(Option<Duration>),
}

impl Waiting<'_> {
    fn awaits(&self, condition: Condition) -> bool {
        self.conditions.contains(&condition)
    }

    /// That a pod's directory moves.
    fn watch(&self) -> Result<Changes, Error> {
        let events = AddWatchFlags::IN_CREATE
            | AddWatchFlags::IN_MOVED_TO
            | AddWatchFlags::IN_MOVED_FROM
            | AddWatchFlags::IN_DELETE;
        let pods = self.directories.data.join("pods");
        let failed = |errno| Error::errno("watch", &pods)(errno);
        let mut changes = Changes::new().map_err(failed)?;
        for phase in Phase::ALL {
            changes
                .watch(&pods.join(phase.dir_name()), events)
                .map_err(failed)?;
        }
        Ok(changes)
    }

    fn wait(&self, changes: &Changes, patience: Option<Duration>) -> Result<(), Error> {
        match (changes.descriptor(), changes.pause().or(patience)) {
            (Some(descriptor), patience) => wait_readable(descriptor, patience).map(drop),
            (None, pause) => {
                std::thread::sleep(pause.unwrap_or(MAYBE_ABORTED));
                Ok(())
            }
        }
    }

    fn look(&self) -> Result<Look, Error> {
        let found = self.pods.by_uuid(self.uuid)?;
        let state = found.as_ref().map(PodEntry::state).transpose()?;
        match (found, state) {
            (Some(entry), Some(State::Running)) => self.look_at_running(&entry),
            (Some(entry), Some(State::Prepared)) => {
                known_app::require(&entry, self.app)?;
                Ok(self.reached(Condition::Created).unwrap_or(Look::At(None)))
            }
            (Some(_), Some(State::Preparing)) => Ok(Look::At(Some(MAYBE_ABORTED))),
            (Some(entry), Some(state @ State::Exited)) => {
                if self.awaits(Condition::Exited) {
                    return Ok(Look::Reached(Reached::End(recorded(&entry, self.app)?)));
                }
                self.until_removed(state)
            }
            (Some(_), Some(state @ (State::Deleting | State::Garbage))) => {
                match self.reached(Condition::Removing) {
                    Some(look) => Ok(look),
                    None => self.until_removed(state),
                }
            }
            (Some(_), Some(state)) => self.until_removed(state),
            _ => {
                let gone = self.reached(Condition::Removing);
                match gone.or_else(|| self.reached(Condition::Removed)) {
                    Some(look) => Ok(look),
                    // Whoever removed it has taken its records along.
                    None if self.awaits(Condition::Exited) => Ok(Look::Reached(Reached::End(None))),
                    None => Err(self.never("it is gone")),
                }
            }
        }
    }

    fn reached(&self, condition: Condition) -> Option<Look> {
        self.awaits(condition)
            .then_some(Look::Reached(Reached::State(condition)))
    }

    /// Nothing but its removal can come any more.
    fn until_removed(&self, state: State) -> Result<Look, Error> {
        match self.awaits(Condition::Removed) || self.awaits(Condition::Removing) {
            true => Ok(Look::At(None)),
            false => Err(self.never(&format!("it {}", state.in_words()))),
        }
    }

    fn never(&self, why: &str) -> Error {
        let words: Vec<String> = self.conditions.iter().map(ToString::to_string).collect();
        Error::NeverAgain {
            uuid: self.uuid,
            conditions: words.join("` or `"),
            why: why.to_owned(),
        }
    }

    /// Waits for what the monitor tells, for as long as there is one.
    fn look_at_running(&self, entry: &PodEntry) -> Result<Look, Error> {
        known_app::require(entry, self.app)?;
        let connect = || connect_when_up(entry, self.directories);
        let Some(events) = connect()? else {
            return ended(entry);
        };
        match ask(&events, &Request::Events)? {
            Some(Response::Done) => {}
            Some(other) => return Err(unexpected(&other)),
            None => return ended(entry),
        }
        // It tells the exit code of a pod that removes itself, too.
        let end = match self.app.is_none() && self.awaits(Condition::Exited) {
            true => connect()?,
            false => None,
        };
        if let Some(end) = &end
            && end.send(&Request::Wait { app: None }, &[]).is_err()
        {
            return ended(entry);
        }
        loop {
            match live_status(entry, self.directories)? {
                Some(status) => {
                    if let Some(look) = self.judge(entry, &status)? {
                        return Ok(look);
                    }
                }
                None => return self.at_end(entry, end),
            }
            if either_is_readable(&events, end.as_ref())? {
                return self.at_end(entry, end);
            }
            match events.recv::<Response>() {
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => return self.at_end(entry, end),
            }
        }
    }

    /// What is so of a pod that runs, if that is waited for.
    fn judge(&self, entry: &PodEntry, status: &LiveStatus) -> Result<Option<Look>, Error> {
        if status.stopping && self.awaits(Condition::Stopping) {
            return Ok(self.reached(Condition::Stopping));
        }
        if let Some(health) = health_of(status, self.app)
            && let Some(look) = self.reached(health)
        {
            return Ok(Some(look));
        }
        let Some(app) = self.app else {
            return match (pod_is(status), self.conditions) {
                (_, [Condition::Created]) => Err(self.never("it has been started")),
                (is, _) => Ok(is.and_then(|is| self.reached(is))),
            };
        };
        let Some(live) = status.apps.iter().find(|live| live.name == *app) else {
            let gone = self.reached(Condition::Removing);
            return match gone.or_else(|| self.reached(Condition::Removed)) {
                None => known_app::require(entry, self.app).map(|()| None),
                gone => Ok(gone),
            };
        };
        Ok(match live.state() {
            AppState::Created => self.reached(Condition::Created),
            AppState::Running => self.reached(Condition::Running),
            AppState::Paused => self.reached(Condition::Paused),
            // It goes on after a while.
            AppState::BackingOff => None,
            AppState::Exited | AppState::Lost => self
                .awaits(Condition::Exited)
                .then(|| Look::Reached(Reached::End(live.outcome.map(|how| how.exit_code())))),
        })
    }

    /// The monitor says no more: it may have told the end of the pod before.
    fn at_end(&self, entry: &PodEntry, end: Option<SeqPacket>) -> Result<Look, Error> {
        let Some(end) = end else {
            return ended(entry);
        };
        match end.recv::<Response>() {
            Ok(Some((Response::PodEnded { exit_code }, _))) => {
                ending::wait(entry, end, None)?;
                Ok(Look::Reached(Reached::End(Some(exit_code))))
            }
            Ok(_) | Err(_) => ended(entry),
        }
    }
}

/// What a pod is whose monitor is there; nothing yet while it starts.
fn pod_is(status: &LiveStatus) -> Option<Condition> {
    let mut running = status
        .apps
        .iter()
        .filter(|app| app.pid.is_some())
        .peekable();
    let is_frozen = running.peek().is_some() && running.all(|app| app.paused);
    status.started.map(|_| match is_frozen {
        true => Condition::Paused,
        false => Condition::Running,
    })
}

/// How an app is that runs, or all those of a pod; nothing where nobody looks, or nothing is known yet.
fn health_of(status: &LiveStatus, app: Option<&AppName>) -> Option<Condition> {
    let is_meant = |live: &&LiveApp| live.pid.is_some() && app.is_none_or(|app| live.name == *app);
    let mut apps = status.apps.iter().filter(is_meant).peekable();
    apps.peek()?;
    let mut are_ready = true;
    for live in apps {
        if !live.ready? {
            live.complaint.as_ref()?;
            are_ready = false;
        }
    }
    Some(match are_ready {
        true => Condition::Healthy,
        false => Condition::Unhealthy,
    })
}

/// Once nobody holds its lock, its directory tells.
fn ended(entry: &PodEntry) -> Result<Look, Error> {
    ending::wait_for_lock(entry)?;
    Ok(Look::Again)
}

/// Waits until the monitor says something; whether it is of the end.
fn either_is_readable(events: &SeqPacket, end: Option<&SeqPacket>) -> Result<bool, Error> {
    let Some(end) = end else {
        return wait_readable(events, None).map(|_| false);
    };
    let mut both = [events, end].map(|socket| PollFd::new(socket.as_fd(), PollFlags::POLLIN));
    loop {
        match poll(&mut both, PollTimeout::NONE) {
            Ok(0) | Err(nix::errno::Errno::EINTR) => {}
            Ok(_) => {
                let [_, end] = both;
                return Ok(end.any() == Some(true));
            }
            Err(errno) => return Err(MonitorError::Wait(errno.into()).into()),
        }
    }
}
