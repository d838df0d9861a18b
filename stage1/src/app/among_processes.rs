//! Processes that begin in another pid namespace than pod init's.

use std::os::fd::{AsFd, BorrowedFd};

use rustix::process::{PidfdFlags, getpid, pidfd_open};
use rustix::thread::{ThreadNameSpaceType, move_into_thread_name_spaces};

use crate::failure::StartFailure;

/// Has the processes that are made meanwhile begin in the pid namespace of that process.
pub(crate) fn among_processes_of<T>(
    process: BorrowedFd<'_>,
    make: impl FnOnce() -> Result<T, StartFailure>,
) -> Result<T, StartFailure> {
    let processes = ThreadNameSpaceType::PROCESS_ID;
    let join = |process| {
        move_into_thread_name_spaces(process, processes)
            .map_err(StartFailure::os("join the app's pid namespace"))
    };
    let own = pidfd_open(getpid(), PidfdFlags::empty())
        .map_err(StartFailure::os("find the own pid namespace"))?;
    join(process)?;
    let made = make();
    // What starts next begins where pod init is.
    join(own.as_fd())?;
    made
}
