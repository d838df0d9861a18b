//! The phases of a pod's life: which directory it is in, and whether its lock is held.
//!
//! | directory | lock held | lock free | leaves by |
//! |---|---|---|---|
//! | `prepare` | being prepared | preparation failed | rename to `prepared` or `run`; `gc` |
//! | `prepared` | being started | waits for `run-prepared` | rename to `run`; `gc`, `rm` |
//! | `run` | running | exited | rename to `garbage` by `gc` or `rm` |
//! | `garbage` | being removed | removal was interrupted | removal by `gc` |

use std::fmt;

use serde::{Deserialize, Serialize};

/// The directory that a pod is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Being prepared.
    Prepare,
    /// Ready to be started.
    Prepared,
    /// Started.
    Run,
    /// To be removed.
    Garbage,
}

impl Phase {
    /// All phases, in the order of a pod's life.
    pub const ALL: [Self; 4] = [Self::Prepare, Self::Prepared, Self::Run, Self::Garbage];

    /// The directory's name below `pods/`.
    pub fn dir_name(self) -> &'static str {
        match self {
            Self::Prepare => "prepare",
            Self::Prepared => "prepared",
            Self::Run => "run",
            Self::Garbage => "garbage",
        }
    }

    /// The state that follows from the phase and the lock.
    pub fn state(self, lock_held: bool) -> State {
        match (self, lock_held) {
            (Self::Prepare, true) => State::Preparing,
            (Self::Prepare, false) => State::AbortedPrepare,
            (Self::Prepared, _) => State::Prepared,
            (Self::Run, true) => State::Running,
            (Self::Run, false) => State::Exited,
            (Self::Garbage, true) => State::Deleting,
            (Self::Garbage, false) => State::Garbage,
        }
    }
}

/// A pod's state, as lists show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// A command prepares it.
    Preparing,
    /// Its preparation was interrupted.
    AbortedPrepare,
    /// It waits for `run-prepared`.
    Prepared,
    /// It runs.
    Running,
    /// It has ended.
    Exited,
    /// A command removes it.
    Deleting,
    /// Its removal was interrupted.
    Garbage,
}

impl State {
    /// The state in a sentence, after "it".
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Preparing => "is being prepared",
            Self::AbortedPrepare => "was given up while it was being prepared",
            Self::Prepared => "has not been started",
            Self::Running => "is running",
            Self::Exited => "has ended",
            Self::Deleting => "is being removed",
            Self::Garbage => "was being removed when that was interrupted",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Preparing => "preparing",
            Self::AbortedPrepare => "aborted-prepare",
            Self::Prepared => "prepared",
            Self::Running => "running",
            Self::Exited => "exited",
            Self::Deleting => "deleting",
            Self::Garbage => "garbage",
        })
    }
}
