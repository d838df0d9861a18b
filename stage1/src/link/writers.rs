//! What runs on the other side of a framed link, and where it writes: its end is told behind what it has written.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use pod::AppName;

use super::stream::{StreamId, StreamKind};
use crate::protocol::{FromInit, ToInit};

/// How long an end waits for output that nobody takes. It is told then: who waits for it does not read what was written.
const PATIENCE: Duration = Duration::from_secs(3);

/// Something that writes, and ends.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Writer {
    App(AppName),
    /// By the monitor's number for it.
    Command(u64),
}

impl Writer {
    fn begun_by(message: &ToInit) -> Option<Self> {
        match message {
            ToInit::App(app) => Some(Self::App(app.name.clone())),
            ToInit::Exec(command) => Some(Self::Command(command.id)),
            _ => None,
        }
    }

    fn ended_by(message: &FromInit) -> Option<Self> {
        match message {
            FromInit::AppExited { app, .. } | FromInit::AppFailed { app, .. } => {
                Some(Self::App(app.clone()))
            }
            FromInit::ExecExited { id, .. } | FromInit::ExecFailed { id, .. } => {
                Some(Self::Command(*id))
            }
            _ => None,
        }
    }
}

/// All that have not ended.
#[derive(Debug, Default)]
pub(super) struct Writers(BTreeMap<Writer, Vec<StreamId>>);

impl Writers {
    /// A message is sent that may bring one into being.
    pub(super) fn begin(&mut self, message: &ToInit) {
        if let Some(writer) = Writer::begun_by(message) {
            let streams = message.streams().into_iter();
            let outputs = streams.filter(|(_, kind)| *kind != StreamKind::ToPod);
            self.0.insert(writer, outputs.map(|(id, _)| id).collect());
        }
    }

    /// Where it has written whose end this message tells, if it tells one.
    pub(super) fn end(&mut self, message: &FromInit) -> Option<Vec<StreamId>> {
        self.0.remove(&Writer::ended_by(message)?)
    }
}

/// An end that is told once what was written is where it belongs.
#[derive(Debug)]
pub(super) struct End<M, S> {
    /// What tells it.
    pub(super) message: M,
    /// Streams on which something is left.
    pub(super) left: Vec<S>,
    /// When it is told whatever is left.
    pub(super) at_last: Option<Instant>,
}

impl<M, S> End<M, S> {
    pub(super) fn new(message: M, left: Vec<S>) -> Self {
        Self {
            message,
            left,
            at_last: Instant::now().checked_add(PATIENCE),
        }
    }

    /// Whether it is told now.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.left.is_empty() || self.at_last.is_none_or(|at| at <= now)
    }
}
