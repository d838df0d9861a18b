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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_s_state_follows_from_its_directory_and_its_lock() {
        let held = |phase: Phase| phase.state(true).to_string();
        let free = |phase: Phase| phase.state(false).to_string();
        for (phase, directory, when_held, when_free) in [
            (Phase::Prepare, "prepare", "preparing", "aborted-prepare"),
            (Phase::Prepared, "prepared", "prepared", "prepared"),
            (Phase::Run, "run", "running", "exited"),
            (Phase::Garbage, "garbage", "deleting", "garbage"),
        ] {
            assert_eq!(phase.dir_name(), directory);
            assert_eq!(
                (held(phase), free(phase)),
                (when_held.into(), when_free.into())
            );
        }
    }

    #[test]
    fn a_state_has_one_word_and_a_sentence() {
        for (state, word, words) in [
            (State::Preparing, "preparing", "is being prepared"),
            (State::AbortedPrepare, "aborted-prepare", "given up"),
            (State::Prepared, "prepared", "has not been started"),
            (State::Running, "running", "is running"),
            (State::Exited, "exited", "has ended"),
            (State::Deleting, "deleting", "is being removed"),
            (State::Garbage, "garbage", "interrupted"),
        ] {
            assert_eq!(serde_json::to_value(state).unwrap(), word);
            assert_eq!(format!("{state:>20}"), format!("{word:>20}"));
            assert!(state.in_words().contains(words), "{state}");
        }
    }
}
