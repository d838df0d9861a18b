//! What system calls answer.

use std::io;

use rustix::io::Errno;

/// The error of a call that answers -1.
pub(super) fn check(result: libc::c_long) -> Result<(), Errno> {
    if result == -1 {
        Err(last_errno())
    } else {
        Ok(())
    }
}

/// That of the call before.
pub(super) fn last_errno() -> Errno {
    Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::IO)
}
