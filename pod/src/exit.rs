//! How apps and pods end, on disk and as exit codes.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::PodError;
use crate::id::AppName;
use crate::layout::app_dir;
use crate::record;
use crate::timestamp::Timestamp;

/// An app's record in its directory.
pub const STATUS_FILE: &str = "status.json";
/// The pod's record in its directory.
pub const EXIT_FILE: &str = "exit.json";
/// Version of both records.
pub const RECORD_VERSION: u64 = 1;

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "kind",
    rename_all = "kebab-case",
    rename_all_fields = "kebab-case"
)]
pub enum Outcome {
    /// It exited.
    Exited {
        /// Its exit code, 0 to 255.
        code: i32,
    },
    /// A signal ended it.
    Signaled {
        /// The signal's number.
        signal: i32,
        /// Whether that was the kernel's answer to the app's memory limit.
        oom_killed: bool,
    },
    /// It never ran.
    NotStarted {
        /// Why.
        failure: FailureKind,
    },
}

/// Why something never ran; each kind has its own exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// The executable is not there.
    NotFound,
    /// The executable can't be executed.
    NotExecutable,
    /// The image does not know the user or group.
    UnknownUser,
    /// There is no space for what has to be written down.
    NoSpace,
    /// An app of the pod has the name already.
    NameTaken,
    /// A signal came before anything ran.
    Interrupted {
        /// The signal's number.
        signal: i32,
    },
    /// Too many ask for something at once.
    TooMany,
    /// Anything else.
    Other,
}

impl FailureKind {
    /// 127, 126 and 128 + signal as shells do, 119 for an unknown user, 117 without space, 120 for a name that is
    /// taken, 125 for fairing's own failures.
    pub fn exit_code(self) -> i32 {
        match self {
            Self::NotFound => 127,
            Self::NotExecutable => 126,
            Self::UnknownUser => 119,
            Self::NoSpace => 117,
            Self::NameTaken => 120,
            Self::Interrupted { signal } => 128 + signal,
            Self::TooMany | Self::Other => 125,
        }
    }
}

impl Outcome {
    /// The exit code that a shell would show: the program's own, or 128 + signal.
    pub fn exit_code(self) -> i32 {
        match self {
            Self::Exited { code } => code,
            Self::Signaled { signal, .. } => 128 + signal,
            Self::NotStarted { failure } => failure.exit_code(),
        }
    }

    /// Whether the process did what it was there for.
    pub fn is_success(self) -> bool {
        self.exit_code() == 0
    }
}

/// Whether an exit code says nothing beside that the program's output could not be delivered: success, or the end
/// by the signal that a program gets whose output nobody takes any more, SIGPIPE of a pipe and SIGHUP of a terminal.
pub fn says_only_that_output_was_lost(code: i32) -> bool {
    const SIGHUP: i32 = 1;
    const SIGPIPE: i32 = 13;
    [0, 128 + SIGHUP, 128 + SIGPIPE].contains(&code)
}

/// What had no memory left when the kernel killed an app because of that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OutOfMemory {
    /// The app, by its limit.
    App,
    /// All apps of the pod together, by the pod's limit.
    Pod,
    /// The virtual machine that the pod is in.
    Machine,
    /// The host, or what it gives to a virtual machine: that was killed as a whole.
    Host,
}

impl OutOfMemory {
    /// What it is, behind the words `out of memory`.
    pub fn words(self) -> &'static str {
        match self {
            Self::App => "",
            Self::Pod => " of the pod",
            Self::Machine => " of the virtual machine",
            Self::Host => " of the host",
        }
    }
}

/// An app's state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct AppStatus {
    /// [`RECORD_VERSION`].
    pub version: u64,
    /// When its process was started.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub started: Option<Timestamp>,
    /// When it ended.
    pub finished: Timestamp,
    /// How it ended.
    pub outcome: Outcome,
    /// The exit code as a shell would show it.
    pub exit_code: i32,
    /// How many of its processes the kernel killed in this run because memory was short, its children too; absent where
    /// nobody counts.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub oom_kills: Option<u64>,
    /// What had no memory left, if that is why it was killed and somebody knows.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub out_of_memory: Option<OutOfMemory>,
    /// Its last words, where it writes some to a file of its own.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub message: Option<String>,
    /// What was wrong when it was found not to be well, if it was ended for that.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub complaint: Option<String>,
    /// How often it had been started again.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub restarts: u64,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl AppStatus {
    /// The record of the app `app` of the pod in `pod_dir`, if it has ended.
    ///
    /// # Errors
    /// As [`record::read`], but a missing record is `None`.
    pub fn load(pod_dir: &Path, app: &AppName) -> Result<Option<Self>, PodError> {
        record::read_if_there(&app_dir(pod_dir, app).join(STATUS_FILE), RECORD_VERSION)
    }

    /// Takes room for the record of an app that is about to run.
    ///
    /// # Errors
    /// As [`record::reserve`].
    pub fn reserve(pod_dir: &Path, app: &AppName) -> Result<(), PodError> {
        record::reserve(&app_dir(pod_dir, app).join(STATUS_FILE))
    }

    /// Writes the record.
    ///
    /// # Errors
    /// As [`record::replace_reserved`].
    pub fn store(&self, pod_dir: &Path, app: &AppName) -> Result<(), PodError> {
        record::replace_reserved(&app_dir(pod_dir, app).join(STATUS_FILE), self)
    }
}

/// A pod's end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PodExit {
    /// [`RECORD_VERSION`].
    pub version: u64,
    /// When its apps were started.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub started: Option<Timestamp>,
    /// When the last process had ended.
    pub finished: Timestamp,
    /// The pod's exit code: that of the first app that failed, or 0.
    pub exit_code: i32,
    /// Why it ended, if not by what its apps did: it could not be run, an app was found not to be well, or its time was up.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub failure: Option<String>,
}

impl PodExit {
    /// The record of the pod in `pod_dir`, if it has ended by itself.
    ///
    /// # Errors
    /// As [`record::read`], but a missing record is `None`.
    pub fn load(pod_dir: &Path) -> Result<Option<Self>, PodError> {
        record::read_if_there(&pod_dir.join(EXIT_FILE), RECORD_VERSION)
    }

    /// The same; a record that is damaged tells of no end.
    ///
    /// # Errors
    /// As [`record::read_if_whole`].
    pub fn load_if_whole(pod_dir: &Path) -> Result<Option<Self>, PodError> {
        record::read_if_whole(&pod_dir.join(EXIT_FILE), RECORD_VERSION)
    }

    /// Whether room was taken for the record of a pod, and it is not written yet: there has been a monitor.
    pub fn is_expected(pod_dir: &Path) -> bool {
        record::is_reserved(&pod_dir.join(EXIT_FILE))
    }

    /// Takes room for the record of a pod that is about to run.
    ///
    /// # Errors
    /// As [`record::reserve`].
    pub fn reserve(pod_dir: &Path) -> Result<(), PodError> {
        record::reserve(&pod_dir.join(EXIT_FILE))
    }

    /// Writes the record.
    ///
    /// # Errors
    /// As [`record::replace_reserved`].
    pub fn store(&self, pod_dir: &Path) -> Result<(), PodError> {
        record::replace_reserved(&pod_dir.join(EXIT_FILE), self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_those_of_a_shell() {
        let signaled = Outcome::Signaled {
            signal: 9,
            oom_killed: true,
        };
        for (outcome, code) in [
            (Outcome::Exited { code: 0 }, 0),
            (Outcome::Exited { code: 3 }, 3),
            (signaled, 137),
        ] {
            assert_eq!(outcome.exit_code(), code);
            assert_eq!(outcome.is_success(), code == 0);
        }
        for (failure, code) in [
            (FailureKind::NotFound, 127),
            (FailureKind::NotExecutable, 126),
            (FailureKind::UnknownUser, 119),
            (FailureKind::NoSpace, 117),
            (FailureKind::Interrupted { signal: 15 }, 143),
            (FailureKind::Other, 125),
        ] {
            let outcome = Outcome::NotStarted { failure };
            assert_eq!(outcome.exit_code(), code);
            assert!(!outcome.is_success());
        }
    }

    #[test]
    fn a_program_whose_output_nobody_takes_says_nothing_else() {
        for code in [0, 129, 141] {
            assert!(says_only_that_output_was_lost(code), "{code}");
        }
        for code in [1, 13, 125, 128, 130, 137, 143, -1] {
            assert!(!says_only_that_output_was_lost(code), "{code}");
        }
    }

    #[test]
    fn ends_have_room_on_a_disk_that_fills_up_later() {
        let dir = tempfile::tempdir().unwrap();
        let app: AppName = "web".parse().unwrap();
        let error = AppStatus::reserve(dir.path(), &app).unwrap_err();
        assert!(error.to_string().contains("apps/web/"), "{error}");
        std::fs::create_dir_all(app_dir(dir.path(), &app)).unwrap();
        AppStatus::reserve(dir.path(), &app).unwrap();
        PodExit::reserve(dir.path()).unwrap();
        let room = |file: &str| {
            std::os::unix::fs::MetadataExt::blocks(
                &std::fs::metadata(dir.path().join(file)).unwrap(),
            )
        };
        assert!(room("apps/web/status.new") > 0 && room("exit.new") > 0);
        // Only a whole record is one.
        assert_eq!(AppStatus::load(dir.path(), &app).unwrap(), None);
        assert_eq!(PodExit::load(dir.path()).unwrap(), None);
    }

    #[test]
    fn ends_are_written_down_and_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let app: AppName = "web".parse().unwrap();
        std::fs::create_dir_all(app_dir(dir.path(), &app)).unwrap();
        assert_eq!(AppStatus::load(dir.path(), &app).unwrap(), None);
        assert_eq!(PodExit::load(dir.path()).unwrap(), None);
        let outcome = Outcome::Exited { code: 3 };
        let status = AppStatus {
            version: RECORD_VERSION,
            started: None,
            finished: Timestamp::now(),
            outcome,
            exit_code: outcome.exit_code(),
            oom_kills: Some(1),
            out_of_memory: Some(OutOfMemory::Machine),
            message: Some("no such table".to_owned()),
            complaint: Some("health check: no answer".to_owned()),
            restarts: 3,
        };
        status.store(dir.path(), &app).unwrap();
        assert_eq!(AppStatus::load(dir.path(), &app).unwrap(), Some(status));
        let end = PodExit {
            version: RECORD_VERSION,
            started: Some(Timestamp::now()),
            finished: Timestamp::now(),
            exit_code: 3,
            failure: Some("no".into()),
        };
        end.store(dir.path()).unwrap();
        assert_eq!(PodExit::load(dir.path()).unwrap(), Some(end));
    }
}
