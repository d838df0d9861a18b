//! How long pod init in a machine may take: until it says hello, from then on until it has started the apps, and in the end
//! until the machine is off.
//!
//! A machine that hangs ends by nothing else: its process runs on.

use std::time::{Duration, Instant};

use super::LinkError;
use crate::protocol::FromInit;

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Awaited {
    Hello,
    Started,
    Off,
}

/// What is waited for, if anything, and until when.
#[derive(Debug)]
pub(super) struct Patience {
    limit: Duration,
    awaited: Option<(Awaited, Option<Instant>)>,
}

impl Patience {
    /// Begins to wait for a hello.
    pub(super) fn begin(limit: Duration) -> Self {
        Self {
            limit,
            awaited: Some((Awaited::Hello, Instant::now().checked_add(limit))),
        }
    }

    /// When [`Self::check`] is to be asked again, whatever happens until then.
    pub(super) fn due(&self) -> Option<Instant> {
        self.awaited.and_then(|(_, until)| until)
    }

    /// A hello has come.
    pub(super) fn begun(&mut self) {
        if let Some((Awaited::Hello, _)) = self.awaited {
            let until = Instant::now().checked_add(self.limit);
            self.awaited = Some((Awaited::Started, until));
        }
    }

    /// A message has come.
    pub(super) fn heard(&mut self, message: &FromInit) {
        match message {
            FromInit::Started => self.awaited = None,
            FromInit::Failed(_) | FromInit::Finished { .. } => self.await_end(),
            _ => {}
        }
    }

    /// Output that apps have left is on its way to who reads it, which takes as long as that takes. Only then does the
    /// machine end.
    pub(super) fn output_is_left(&mut self) {
        if let Some((Awaited::Off, _)) = self.awaited {
            self.await_end();
        }
    }

    fn await_end(&mut self) {
        self.awaited = Some((Awaited::Off, Instant::now().checked_add(self.limit)));
    }

    /// Whether there is still time.
    ///
    /// # Errors
    /// [`LinkError::Late`] if not.
    pub(super) fn check(&self, now: Instant) -> Result<(), LinkError> {
        let Some((awaited, Some(until))) = self.awaited else {
            return Ok(());
        };
        if now < until {
            return Ok(());
        }
        Err(LinkError::Late {
            what: match awaited {
                Awaited::Hello => "has not said a word",
                Awaited::Started => "has not started the apps",
                Awaited::Off => "has said that the pod is over, and not ended",
            },
            seconds: self.limit.as_secs(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(60);

    #[test]
    fn who_says_nothing_or_starts_nothing_is_not_waited_for_and_who_has_is() {
        let late = |patience: &Patience, seconds| {
            let error = patience.check(Instant::now() + Duration::from_secs(seconds));
            error.err().map(|error| error.to_string())
        };
        let mut patience = Patience::begin(LIMIT);
        assert_eq!(late(&patience, 59), None);
        let message = late(&patience, 61).unwrap();
        assert!(message.contains("has not said a word in 60 s"), "{message}");
        patience.begun();
        assert_eq!(late(&patience, 59), None);
        let message = late(&patience, 61).unwrap();
        assert!(message.contains("has not started the apps"), "{message}");
        patience.heard(&FromInit::Started);
        assert_eq!((late(&patience, 1 << 30), patience.due()), (None, None));
        patience.heard(&FromInit::Finished { exit_code: 0 });
        let due = patience.due();
        patience.output_is_left();
        assert!(patience.due() > due);
        let message = late(&patience, 61).unwrap();
        assert!(message.contains("and not ended"), "{message}");
    }

    #[test]
    fn words_that_are_no_start_win_no_time() {
        let mut patience = Patience::begin(LIMIT);
        patience.begun();
        let due = patience.due();
        patience.begun();
        patience.output_is_left();
        patience.heard(&FromInit::AppExited {
            app: "a".parse().unwrap(),
            outcome: pod::exit::Outcome::Exited { code: 0 },
            oom_kills: None,
            out_of_memory: None,
        });
        assert_eq!(patience.due(), due);
    }
}
