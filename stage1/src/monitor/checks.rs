//! Probes and hooks on their way, and what their commands say.

use std::os::fd::BorrowedFd;
use std::time::Instant;

use pod::AppName;
use supervisor::{CheckId, CheckKind};

use super::check_output::CheckOutput;

/// All that is on its way.
#[derive(Debug, Default)]
pub(super) struct Checks(pub(super) Vec<Check>);

/// One of them.
#[derive(Debug)]
pub(super) struct Check {
    pub(super) id: CheckId,
    /// The monitor's number for the command or the question.
    pub(super) number: u64,
    pub(super) app: AppName,
    pub(super) kind: CheckKind,
    pub(super) deadline: Option<Instant>,
    pub(super) is_command: bool,
    pub(super) output: CheckOutput,
}

impl Checks {
    /// What to wait for, before [`Checks::read`].
    pub(super) fn interests(&self) -> Vec<BorrowedFd<'_>> {
        let checks = self.0.iter();
        checks.flat_map(|check| check.output.interests()).collect()
    }

    /// When one has taken too long, or is listened to again.
    pub(super) fn due(&self) -> Option<Instant> {
        let checks = self.0.iter();
        let dues = checks.flat_map(|check| [check.deadline, check.output.due()]);
        dues.flatten().min()
    }

    /// Reads what commands say: `ready` answers [`Checks::interests`] one by one.
    pub(super) fn read(&mut self, ready: &[bool]) {
        let mut ready = ready.iter().copied();
        for check in &mut self.0 {
            check.output.read(&mut ready);
        }
    }

    pub(super) fn take(&mut self, number: u64) -> Option<Check> {
        let place = self.0.iter().position(|check| check.number == number)?;
        Some(self.0.swap_remove(place))
    }
}
