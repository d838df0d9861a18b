//! What is told of an archive that is refused: where in it, and why.

use std::io::BufRead;

use super::Walk;
use crate::error::ContentError;
use crate::layer_limit::LayerLimit;
use crate::member::BadPath;
use crate::shown::shown;

impl<R: BufRead> Walk<'_, R> {
    /// What is wrong with the archive, and behind which member.
    pub(super) fn corrupt(&self, reason: &str) -> ContentError {
        ContentError::CorruptLayer {
            what: self.what.to_owned(),
            reason: match self.last.as_slice() {
                [] => reason.to_owned(),
                last => format!("at or after {:?}: {reason}", shown(last)),
            },
        }
    }

    /// What is wrong with the current member.
    pub(super) fn refuse(&self, reason: String) -> ContentError {
        ContentError::UnsafeEntry {
            what: self.what.to_owned(),
            entry: shown(&self.last),
            reason,
        }
    }

    pub(super) fn bad_path(&self, bad: BadPath, role: &str, name: &[u8]) -> ContentError {
        match bad {
            BadPath::Unsafe(reason) => self.refuse(format!("{role}{reason}")),
            BadPath::Over(limit) => self.over(limit, Some(name)),
        }
    }

    pub(super) fn over(&self, limit: LayerLimit, entry: Option<&[u8]>) -> ContentError {
        let what = match entry {
            Some(name) => format!("{}: entry {:?}", self.what, shown(name)),
            None => self.what.to_owned(),
        };
        self.limits.exceeded(limit, what)
    }
}
