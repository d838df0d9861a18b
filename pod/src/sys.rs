//! The one place of this crate that steps outside of what the compiler can check.
#![allow(unsafe_code)]

use std::os::fd::{FromRawFd, OwnedFd, RawFd};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};

/// Takes ownership of a descriptor that a parent or an earlier program image handed down under a
/// number, and marks it close-on-exec.
///
/// Must be called at most once for a number, at the start of the program: the numbers come from
/// environment variables that this contract defines, and nothing else in the process owns them.
pub(crate) fn adopt(number: RawFd) -> Result<OwnedFd, nix::errno::Errno> {
    if number <= 2 {
        return Err(nix::errno::Errno::EBADF);
    }
    // SAFETY: the number is borrowed only for this call, which fails cleanly with EBADF if it isn't open.
    let borrowed = unsafe { std::os::fd::BorrowedFd::borrow_raw(number) };
    fcntl(borrowed, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    // SAFETY: the descriptor is open (checked above) and was left to this process by the contract's
    // environment variable, so that nothing else in it closes or owns that number.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Takes ownership of descriptors that recvmsg(2) has just made.
pub(crate) fn own_received(numbers: Vec<RawFd>) -> impl Iterator<Item = OwnedFd> {
    // SAFETY: the kernel has just made these descriptors for this process, and each message is taken
    // apart once.
    numbers
        .into_iter()
        .map(|number| unsafe { OwnedFd::from_raw_fd(number) })
}

/// Takes ownership of a descriptor that accept4(2) has just made.
pub(crate) fn own_accepted(number: RawFd) -> OwnedFd {
    // SAFETY: the kernel has just made this descriptor for this process.
    unsafe { OwnedFd::from_raw_fd(number) }
}
