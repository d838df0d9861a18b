//! The one place of this crate that steps outside of what the compiler can check.
#![allow(unsafe_code)]

use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd, RawFd};

use rustix::io::{Errno, FdFlags, fcntl_setfd};

/// Takes ownership of a descriptor that a parent or an earlier program image handed down under a
/// number, and marks it close-on-exec.
///
/// Must be called at most once for a number, at the start of the program: the numbers come from
/// environment variables that this contract defines, and nothing else in the process owns them.
pub(crate) fn adopt(number: RawFd) -> Result<OwnedFd, Errno> {
    if number <= 2 {
        return Err(Errno::BADF);
    }
    // SAFETY: the number is borrowed only for this call, which fails cleanly with EBADF if it isn't open.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    fcntl_setfd(borrowed, FdFlags::CLOEXEC)?;
    // SAFETY: the descriptor is open (checked above) and was left to this process by the contract's
    // environment variable, so that nothing else in it closes or owns that number.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}
