//! Probes and hooks on their way, and what their commands say.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;

use pod::AppName;
use supervisor::{CheckId, CheckKind};

use crate::failure::one_line;

/// How much of what a command says is kept, in bytes.
const KEPT_MAX: usize = 10 << 10;
/// How much of it is read at all: one that says more is not listened to any longer.
const READ_MAX: usize = 1 << 20;
/// How much of it is told.
pub(super) const TOLD_MAX: usize = 1 << 10;
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
    pub(super) outputs: Vec<OwnedFd>,
    pub(super) kept: Vec<u8>,
    pub(super) read: usize,
}

impl Checks {
    /// What to wait for, before [`Checks::read`].
    pub(super) fn interests(&self) -> Vec<BorrowedFd<'_>> {
        let outputs = self.0.iter().flat_map(|check| &check.outputs);
        outputs.map(AsFd::as_fd).collect()
    }

    /// When one has taken too long.
    pub(super) fn due(&self) -> Option<Instant> {
        self.0.iter().filter_map(|check| check.deadline).min()
    }

    /// Reads what commands say: `ready` answers [`Checks::interests`] one by one.
    pub(super) fn read(&mut self, ready: &[bool]) {
        let mut ready = ready.iter();
        for check in &mut self.0 {
            let of_check: Vec<bool> = ready.by_ref().take(check.outputs.len()).copied().collect();
            check.read(|place| of_check.get(place).copied().unwrap_or(false));
        }
    }

    pub(super) fn take(&mut self, number: u64) -> Option<Check> {
        let place = self.0.iter().position(|check| check.number == number)?;
        Some(self.0.swap_remove(place))
    }
}

impl Check {
    fn read(&mut self, is_ready: impl Fn(usize) -> bool) {
        let mut some = [0; 4096];
        let mut place = 0;
        let Self {
            outputs,
            kept,
            read,
            ..
        } = self;
        outputs.retain(|output| {
            place += 1;
            if !is_ready(place - 1) {
                return true;
            }
            loop {
                match rustix::io::read(output, &mut some) {
                    Ok(0) => return false,
                    Ok(count) => {
                        *read += count;
                        let room = KEPT_MAX.saturating_sub(kept.len());
                        kept.extend(some.iter().take(count.min(room)));
                        if *read > READ_MAX {
                            return false;
                        }
                    }
                    Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => return true,
                    Err(_) => return false,
                }
            }
        });
    }

    /// What its command has said, as one line.
    pub(super) fn said(&mut self) -> String {
        self.read(|_| true);
        let text = one_line(&String::from_utf8_lossy(&self.kept));
        let length = text.floor_char_boundary(TOLD_MAX);
        text.get(..length).unwrap_or_default().to_owned()
    }
}
