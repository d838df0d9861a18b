//! One probe of one running app.

use std::time::{Duration, Instant};

use pod::manifest::Probe;

use crate::action::CheckId;
use crate::event::Answer;

/// How often in a row a question is tried that can't be asked, before it counts for nothing.
const TRIES: u8 = 3;

/// What many answers in a row have come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing yet.
    Open,
    Passed,
    Failed,
}

/// One probe of one running app.
#[derive(Debug)]
pub(crate) struct Probing {
    initial_delay: Duration,
    period: Duration,
    timeout: Duration,
    success_threshold: u32,
    failure_threshold: u32,
    /// How long an app has that this probe ends.
    pub(crate) grace: Option<Duration>,
    /// When it is asked next; `None` while it rests.
    due: Option<Instant>,
    /// The question that is on its way, and when it was due.
    asked: Option<(CheckId, Instant)>,
    /// The last answer, and how often in a row.
    row: Option<(bool, u32)>,
    tries: u8,
    pub(crate) verdict: Verdict,
}

impl Probing {
    /// A probe of which nothing is known. It rests.
    pub(crate) fn new(probe: &Probe) -> Self {
        let seconds = |seconds: u32| Duration::from_secs(seconds.into());
        Self {
            initial_delay: seconds(probe.initial_delay_seconds),
            period: seconds(probe.period_seconds.get()),
            timeout: seconds(probe.timeout_seconds.get()),
            success_threshold: probe.success_threshold.get(),
            failure_threshold: probe.failure_threshold.get(),
            grace: probe
                .termination_grace_period_seconds
                .map(|grace| seconds(grace.get())),
            due: None,
            asked: None,
            row: None,
            tries: 0,
            verdict: Verdict::Open,
        }
    }

    /// Begins to ask, if it rests. The delay counts from the app's start. One that has failed an app rests for good.
    pub(crate) fn begin_unless_begun(&mut self, app_started: Instant, now: Instant) {
        if self.due.is_none() && self.asked.is_none() {
            let first = app_started.checked_add(self.initial_delay);
            self.due = first.map(|first| first.max(now));
        }
    }

    /// Rests until it begins anew. The result is the question that nobody waits for any more.
    pub(crate) fn rest(&mut self) -> Option<CheckId> {
        self.due = None;
        self.row = None;
        self.tries = 0;
        self.asked.take().map(|(id, _)| id)
    }

    /// When it is to be asked next.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.due.filter(|_| self.asked.is_none())
    }

    /// Asks, if it is time: the number of the question is `id`. The result is how long the answer may take.
    pub(crate) fn ask(&mut self, id: CheckId, now: Instant) -> Option<Duration> {
        let due = self.due().filter(|due| *due <= now)?;
        self.asked = Some((id, due));
        Some(self.timeout)
    }

    /// Takes an answer. The result is whether it was one to this probe.
    pub(crate) fn answered(&mut self, id: CheckId, answer: Answer, now: Instant) -> bool {
        let Some((_, due)) = self.asked.take_if(|(asked, _)| *asked == id) else {
            return false;
        };
        self.due = due.checked_add(self.period).map(|next| next.max(now));
        let good = match answer {
            Answer::Passed => true,
            Answer::Failed => false,
            Answer::Unknown => {
                self.tries += 1;
                match self.tries < TRIES {
                    true => self.due = Some(now),
                    false => self.tries = 0,
                }
                return true;
            }
        };
        self.tries = 0;
        let count = match self.row {
            Some((last, count)) if last == good => count.saturating_add(1),
            _ => 1,
        };
        self.row = Some((good, count));
        if good && count >= self.success_threshold {
            self.verdict = Verdict::Passed;
        }
        if !good && count >= self.failure_threshold {
            self.verdict = Verdict::Failed;
        }
        true
    }
}
