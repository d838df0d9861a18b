//! What a process on its way to its program tells of that way: nothing over a pipe that exec closes, or which step failed.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use pod::exit::FailureKind;
use rustix::io::{Errno, read, retry_on_intr};

use crate::app::child::Step;
use crate::failure::StartFailure;

/// How long a process may take to execute its program. Another app can stop it by a signal as soon as it has its user.
const START_MAX: Duration = Duration::from_secs(10);

/// The end of the pipe at which that is read. It is readable once the process has executed its program, could not, or is
/// gone.
#[derive(Debug)]
pub(crate) struct StartReport {
    reader: OwnedFd,
    what: String,
    program: CString,
    workdir: CString,
    deadline: Option<Instant>,
}

impl StartReport {
    /// That of a process that has just been made. `what` names it in messages.
    pub(crate) fn new(reader: OwnedFd, what: String, program: CString, workdir: CString) -> Self {
        Self {
            reader,
            what,
            program,
            workdir,
            deadline: Instant::now().checked_add(START_MAX),
        }
    }

    /// When the process has taken too long.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Why a process is given up that has taken too long.
    pub(crate) fn overdue(&self) -> StartFailure {
        let Self { what, .. } = self;
        let seconds = START_MAX.as_secs();
        StartFailure::other(format!(
            "cannot start {what}: it has not executed its program within {seconds} s"
        ))
    }

    /// Reads it, once it is readable. `None` if it is not: another process has opened the pipe too, and was faster.
    ///
    /// # Errors
    /// Why the program was not executed. That somebody has killed the process is none.
    pub(crate) fn take(&self) -> Option<Result<(), StartFailure>> {
        let mut report = [0; 5];
        match retry_on_intr(|| read(&self.reader, &mut report[..])) {
            Err(Errno::AGAIN) => None,
            Err(errno) => {
                let step = format!("start {}", self.what);
                Some(Err(StartFailure::os(&step)(errno)))
            }
            Ok(0) => Some(Ok(())),
            Ok(_) => {
                let [number, code @ ..] = report;
                let step = Step::from_number(number).unwrap_or(Step::Execute);
                let errno = Errno::from_raw_os_error(i32::from_le_bytes(code));
                Some(Err(explain(
                    &self.what,
                    &self.program,
                    &self.workdir,
                    step,
                    errno,
                )))
            }
        }
    }
}

impl StartReport {
    /// What is there of it once the process has ended, whoever else still holds the pipe.
    ///
    /// # Errors
    /// As [`StartReport::take`].
    pub(crate) fn last_word(&self) -> Result<(), StartFailure> {
        self.take().unwrap_or(Ok(()))
    }
}

impl AsFd for StartReport {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.reader.as_fd()
    }
}

fn explain(what: &str, program: &CStr, workdir: &CStr, step: Step, errno: Errno) -> StartFailure {
    let program = program.to_string_lossy();
    let name = program.rsplit('/').next().unwrap_or_default();
    let (kind, message) = match (step, errno) {
        (Step::Execute, Errno::NOENT | Errno::NOTDIR) => (
            FailureKind::NotFound,
            format!(
                "cannot execute `{name}` in {what}: it, or the interpreter that it names, is not in the image"
            ),
        ),
        (Step::Execute, errno) => (
            FailureKind::NotExecutable,
            format!("cannot execute `{program}` in {what}: {errno}"),
        ),
        (Step::WorkingDirectory, errno) => (
            FailureKind::Other,
            format!(
                "cannot enter the working directory `{}` of {what}: {errno}",
                workdir.to_string_lossy()
            ),
        ),
        (step, errno) => (
            FailureKind::Other,
            format!("cannot {} for {what}: {errno}", step.description()),
        ),
    };
    StartFailure { kind, message }
}
