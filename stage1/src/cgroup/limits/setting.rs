//! One file of a cgroup that limits something, and what it is to say.

use pod::manifest::{Limit, Resources};

/// Length of a period of processor time where none is asked for, in microseconds: the kernel's default.
pub(super) const CPU_PERIOD: u64 = 100_000;
/// Something that is limited, and the files that can say so: the first that is there does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Setting {
    pub(super) controller: &'static str,
    pub(super) files: Vec<(String, String)>,
    pub(super) missing: Missing,
}

/// What a missing file means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    /// The limit can't be had.
    Fails,
    /// There is nothing to limit: a kernel that does not account for swap lets nobody swap around a limit, say.
    NothingToLimit,
}

impl Setting {
    pub(super) fn new(
        controller: &'static str,
        file: impl Into<String>,
        value: impl Into<String>,
    ) -> Self {
        Self {
            controller,
            files: vec![(file.into(), value.into())],
            missing: Missing::Fails,
        }
    }

    /// Or this file, if the first is missing.
    pub(super) fn or(mut self, file: impl Into<String>, value: impl Into<String>) -> Self {
        self.files.push((file.into(), value.into()));
        self
    }

    pub(super) fn if_there(mut self) -> Self {
        self.missing = Missing::NothingToLimit;
        self
    }

    /// Kubelets say for each size of huge pages that there are to be none: where nobody can count them, that is left out.
    pub(super) fn unless_none(self, bytes: u64) -> Self {
        match bytes {
            0 => self.if_there(),
            _ => self,
        }
    }

    pub(super) fn is(&self, file: &str) -> bool {
        self.files.iter().any(|(one, _)| one == file)
    }
}

/// A number of processes, of which the kernel takes no more than it can number.
pub(super) fn pids(limit: Limit) -> String {
    const PIDS_MAX: u64 = 4 << 20;
    match limit {
        Limit::At(number) if number >= PIDS_MAX => "max".to_owned(),
        limit => number_or_max(limit),
    }
}

pub(super) fn number_or_max(limit: Limit) -> String {
    limit.value().map_or("max".to_owned(), |v| v.to_string())
}

/// The period to write: the one that is asked for, and with a quota always one.
pub(super) fn period(resources: &Resources) -> Option<u64> {
    let usual = resources.cpu.quota.map(|_| CPU_PERIOD);
    resources.cpu.period.or(usual)
}
