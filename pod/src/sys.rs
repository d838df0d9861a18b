//! The one place of this crate that steps outside of what the compiler can check.
#![allow(unsafe_code)]

use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd, RawFd};

use rustix::io::{Errno, FdFlags, fcntl_getfd, fcntl_setfd};

/// Takes ownership of a descriptor that a parent or an earlier program image handed down under a number, and marks it
/// close-on-exec. That is possible once for a number.
///
/// # Errors
/// EBADF if it is a standard stream, is not open, or belongs to somebody in this program: what that has opened or taken
/// over is close-on-exec, which nothing is that has come through exec.
pub fn adopt_fd(number: RawFd) -> Result<OwnedFd, Errno> {
    if number <= 2 {
        return Err(Errno::BADF);
    }
    // SAFETY: borrowed for two calls, which fail if the number isn't open.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    let flags = fcntl_getfd(borrowed)?;
    if flags.contains(FdFlags::CLOEXEC) {
        return Err(Errno::BADF);
    }
    fcntl_setfd(borrowed, flags | FdFlags::CLOEXEC)?;
    // SAFETY: the flag has said that nobody in this program owns it, and says from now on that somebody does.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

#[cfg(test)]
mod tests {
    use std::os::fd::{AsRawFd, IntoRawFd};

    use super::*;

    #[test]
    fn what_came_through_exec_is_taken_once_and_what_was_opened_here_never() {
        let own = OwnedFd::from(tempfile::tempfile().unwrap());
        assert_eq!(adopt_fd(own.as_raw_fd()).unwrap_err(), Errno::BADF);
        for number in [-1, 0, 2, 987_654] {
            assert_eq!(adopt_fd(number).unwrap_err(), Errno::BADF, "{number}");
        }
        fcntl_setfd(&own, FdFlags::empty()).unwrap();
        let adopted = adopt_fd(own.into_raw_fd()).unwrap();
        assert_eq!(adopt_fd(adopted.as_raw_fd()).unwrap_err(), Errno::BADF);
    }
}
