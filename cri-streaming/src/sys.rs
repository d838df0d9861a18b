//! The one place of this crate that steps outside of what the compiler can check.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use nix::libc;

/// How many bytes that were written to a TCP socket its other side has not acknowledged yet: its
/// end counts as one (tcp(7), `SIOCOUTQ`).
///
/// # Errors
/// What the kernel says, such as when it is no socket.
pub(crate) fn unacknowledged(socket: BorrowedFd<'_>) -> io::Result<usize> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: this request writes one `int` to where its argument points, which is `bytes`, and the
    // descriptor is open for as long as it is borrowed.
    let answer = unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
    match answer {
        0 => Ok(usize::try_from(bytes).unwrap_or_default()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsFd;

    #[test]
    fn what_the_other_side_has_no_room_for_is_not_acknowledged() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut here = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let _there = listener.accept().unwrap();
        assert_eq!(unacknowledged(here.as_fd()).unwrap(), 0);
        here.set_nonblocking(true).unwrap();
        while here.write(&[7; 65536]).is_ok() {}
        assert!(unacknowledged(here.as_fd()).unwrap() > 0);
        let pipe = std::io::pipe().unwrap();
        assert!(unacknowledged(pipe.0.as_fd()).is_err());
    }
}
