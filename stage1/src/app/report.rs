//! What a process on its way to its program tells of that way: nothing over a pipe that exec closes, or which step failed.

use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use pod::exit::FailureKind;
use pod::manifest::AppPath;
use rustix::io::{Errno, read, retry_on_intr};

use crate::app::attempts;
use crate::app::child::REPORT_MAX;
use crate::app::command_line::Sought;
use crate::app::step::Step;
use crate::failure::StartFailure;

/// How long a process may take to execute its program. Another app can stop it by a signal as soon as it has its user.
const START_MAX: Duration = Duration::from_secs(10);

/// The end of the pipe at which that is read. It is readable once the process has executed its program, could not, or is
/// gone.
#[derive(Debug)]
pub(crate) struct StartReport {
    reader: OwnedFd,
    what: String,
    sought: Sought,
    workdir: CString,
    /// Where its volumes go.
    places: Vec<AppPath>,
    deadline: Option<Instant>,
}

impl StartReport {
    /// That of a process that has just been made. `what` names it in messages.
    pub(crate) fn new(
        reader: OwnedFd,
        what: String,
        sought: Sought,
        workdir: CString,
        places: Vec<AppPath>,
    ) -> Self {
        Self {
            reader,
            what,
            sought,
            workdir,
            places,
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
        let mut report = [0; REPORT_MAX];
        match retry_on_intr(|| read(&self.reader, &mut report[..])) {
            Err(Errno::AGAIN) => None,
            Err(errno) => {
                let step = format!("start {}", self.what);
                Some(Err(StartFailure::os(&step)(errno)))
            }
            Ok(0) => Some(Ok(())),
            Ok(length) => {
                let length: usize = length;
                let [number, a, b, c, d, told @ ..] = &report;
                let step = Step::from_number(*number).unwrap_or(Step::Execute);
                let errno = Errno::from_raw_os_error(i32::from_le_bytes([*a, *b, *c, *d]));
                let told = told.get(..length.saturating_sub(5)).unwrap_or_default();
                Some(Err(self.explain(step, errno, told)))
            }
        }
    }
}

impl StartReport {
    fn explain(&self, step: Step, errno: Errno, told: &[u8]) -> StartFailure {
        let what = &self.what;
        let (kind, message) = match step {
            Step::Execute => {
                let Sought { asked, candidates } = &self.sought;
                attempts::explain(asked, candidates, what, errno, told)
            }
            Step::WorkingDirectory => (
                FailureKind::Other,
                format!(
                    "cannot enter the working directory `{}` of {what}: {errno}",
                    self.workdir.to_string_lossy()
                ),
            ),
            Step::CgroupNamespace if errno == Errno::NOSPC => (
                FailureKind::Other,
                format!(
                    "cannot make a cgroup namespace for {what}: the host allows no more of them \
                     (user.max_cgroup_namespaces)"
                ),
            ),
            Step::AttachVolume => (FailureKind::Other, self.explain_volume(errno, told)),
            step => (
                FailureKind::Other,
                format!("cannot {} for {what}: {errno}", step.description()),
            ),
        };
        StartFailure { kind, message }
    }

    fn explain_volume(&self, errno: Errno, told: &[u8]) -> String {
        let place = attempts::named_place(told).and_then(|number| self.places.get(number));
        let place = place.map_or("?", AppPath::as_str);
        let why = match errno {
            Errno::NOTDIR => "a directory can't be mounted on a file".to_owned(),
            Errno::ISDIR => "a file can't be mounted on a directory".to_owned(),
            Errno::PERM => "what is in /proc stays as it is".to_owned(),
            Errno::NOENT => "the way there leads through a link into nowhere".to_owned(),
            errno => errno.to_string(),
        };
        format!("cannot mount on `{place}` in {}: {why}", self.what)
    }

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
