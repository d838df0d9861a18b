//! Changes that the kernel may take its time for: it frees memory before it answers, and an app that goes on taking some
//! could keep it busy. A process aside asks it, and is given up after a while.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use pod::manifest::Resources;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Signal, WaitId, WaitIdOptions, pidfd_send_signal, waitid};

use super::error::CgroupError;
use super::limits::Undo;
use crate::sys;

/// How long the kernel may take.
const PATIENCE: Duration = Duration::from_secs(1);
/// Most bytes of a reason: they find room in a pipe at once.
const REASON_MAX: u64 = 4 << 10;

/// Changes limits, aside if the kernel may take its time. One that is given up there can't take back what it has changed.
///
/// # Errors
/// Why they could not be changed.
pub(super) fn change_limits(
    resources: &Resources,
    undo: &Undo,
    make: impl FnOnce() -> Result<(), CgroupError>,
) -> Result<(), CgroupError> {
    if resources.memory.limit.or(resources.memory.swap).is_none() {
        return make();
    }
    match change(make) {
        Err(late @ CgroupError::TookTooLong(_)) => change(|| Err(undo.after(late))),
        other => other,
    }
}

/// Makes a change in a process aside, and waits for it at most for [`PATIENCE`].
///
/// # Errors
/// Why it could not be made; if it took too long, how much of it was made is not known.
pub(super) fn change(change: impl FnOnce() -> Result<(), CgroupError>) -> Result<(), CgroupError> {
    change_within(PATIENCE, change)
}

fn change_within(
    patience: Duration,
    change: impl FnOnce() -> Result<(), CgroupError>,
) -> Result<(), CgroupError> {
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC).map_err(aside)?;
    let child = sys::spawn(0, None, |_| match change() {
        Ok(()) => 0,
        Err(error) => {
            // Without a reason it has failed all the same.
            let _ = rustix::io::write(&writer, error.to_string().as_bytes());
            1
        }
    });
    let child = child.map_err(aside)?.pidfd;
    drop(writer);
    let in_time = ends_within(&child, patience)?;
    if !in_time {
        // It has ended meanwhile, or does so as soon as the kernel looks. Then it is nobody's, and goes with the monitor.
        let _ = pidfd_send_signal(&child, Signal::KILL);
        ends_within(&child, patience)?;
    }
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
    let status = waitid(WaitId::PidFd(child.as_fd()), options).map_err(aside)?;
    match status.and_then(|status| status.exit_status()) {
        Some(0) => Ok(()),
        Some(_) => {
            let mut reason = String::new();
            File::from(reader)
                .take(REASON_MAX)
                .read_to_string(&mut reason)
                .map_err(aside)?;
            Err(CgroupError::Aside(reason))
        }
        None => Err(CgroupError::TookTooLong(patience)),
    }
}

fn aside<E: Into<std::io::Error>>(error: E) -> CgroupError {
    CgroupError::Aside(format!("cannot change limits: {}", error.into()))
}

/// Whether a process ends within this time.
fn ends_within(child: &OwnedFd, patience: Duration) -> Result<bool, CgroupError> {
    let timeout = Timespec::try_from(patience).map_err(|_| CgroupError::TookTooLong(patience))?;
    let mut polled = [PollFd::new(child, PollFlags::IN)];
    match poll(&mut polled, Some(&timeout)) {
        // The monitor has blocked its signals.
        Err(Errno::INTR) => Ok(false),
        other => Ok(other.map_err(aside)? > 0),
    }
}
