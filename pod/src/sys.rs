//! The one place of this crate that steps outside of what the compiler can check.
#![allow(unsafe_code)]

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::libc;
use nix::sys::socket::MsgFlags;
use nix::sys::stat::fstat;

/// Takes ownership of a descriptor that a parent or an earlier program image handed down under a
/// number, and marks it close-on-exec.
///
/// Must be called at most once for a number, at the start of the program: the numbers come from
/// environment variables that this contract defines, and nothing else in the process owns them.
pub(crate) fn adopt(number: RawFd) -> Result<OwnedFd, Errno> {
    if number <= 2 {
        return Err(Errno::EBADF);
    }
    // SAFETY: the number is borrowed only for this call, which fails cleanly with EBADF if it isn't open.
    let borrowed = unsafe { std::os::fd::BorrowedFd::borrow_raw(number) };
    fcntl(borrowed, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    // SAFETY: the descriptor is open (checked above) and was left to this process by the contract's
    // environment variable, so that nothing else in it closes or owns that number.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// The inode of this process in pidfs, which no other process ever has. Before Linux 6.9 all have the same.
pub(crate) fn inode_of_own_process() -> Result<u64, Errno> {
    // SAFETY: takes two numbers and touches no memory of ours.
    let process = unsafe { libc::syscall(libc::SYS_pidfd_open, std::process::id(), 0) };
    let process = RawFd::try_from(Errno::result(process)?).map_err(|_| Errno::EBADF)?;
    // SAFETY: the kernel has just made this descriptor for this process.
    let process = unsafe { OwnedFd::from_raw_fd(process) };
    Ok(fstat(&process)?.st_ino)
}

/// What recvmsg(2) gave.
pub(crate) struct Received {
    /// Bytes of the packet.
    pub(crate) length: usize,
    /// What the kernel says of it.
    pub(crate) flags: MsgFlags,
    /// All descriptors that came, close-on-exec; also those of a message that is cut off.
    pub(crate) fds: Vec<OwnedFd>,
}

/// Room for a control message with as many descriptors as the kernel passes at once (`SCM_MAX_FD`,
/// 253), in units that are aligned for its header.
const CONTROL_WORDS: usize = 2 + 253_usize.div_ceil(2);

/// Receives one packet, recvmsg(2). Not by way of nix, which loses the descriptors of a message if the
/// process may not open as many as came.
pub(crate) fn receive(socket: &OwnedFd, packet: &mut [u8]) -> Result<Received, Errno> {
    let mut control = [0_u64; CONTROL_WORDS];
    let mut bytes = libc::iovec {
        iov_base: packet.as_mut_ptr().cast(),
        iov_len: packet.len(),
    };
    // SAFETY: all zeroes is a valid message header, without any buffers.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    header.msg_iov = &raw mut bytes;
    header.msg_iovlen = 1;
    header.msg_control = control.as_mut_ptr().cast();
    header.msg_controllen = size_of_val(&control);
    // SAFETY: the header names two buffers with their lengths, both of which live until the end of
    // this function.
    let length =
        unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut header, libc::MSG_CMSG_CLOEXEC) };
    let length = usize::try_from(Errno::result(length)?).map_err(|_| Errno::EIO)?;
    let mut fds = Vec::new();
    // SAFETY: the kernel has filled the control buffer, which is aligned for its headers, and has set
    // its length; these functions stay within it.
    let mut next = unsafe { libc::CMSG_FIRSTHDR(&raw const header) };
    // SAFETY: the pointer is null or to a whole header within the buffer.
    while let Some(message) = unsafe { next.as_ref() } {
        if (message.cmsg_level, message.cmsg_type) == (libc::SOL_SOCKET, libc::SCM_RIGHTS) {
            // SAFETY: computes a number.
            let before = unsafe { libc::CMSG_LEN(0) } as usize;
            let count = message.cmsg_len.saturating_sub(before) / size_of::<RawFd>();
            // SAFETY: the data follows the header.
            let numbers = unsafe { libc::CMSG_DATA(next) }.cast::<RawFd>();
            for at in 0..count {
                // SAFETY: the kernel has just made `count` descriptors for this process and wrote
                // their numbers here; each is taken once.
                fds.push(unsafe { OwnedFd::from_raw_fd(numbers.add(at).read_unaligned()) });
            }
        }
        // SAFETY: as for the first one.
        next = unsafe { libc::CMSG_NXTHDR(&raw const header, next) };
    }
    Ok(Received {
        length,
        flags: MsgFlags::from_bits_truncate(header.msg_flags),
        fds,
    })
}

/// Takes ownership of a descriptor that accept4(2) has just made.
pub(crate) fn own_accepted(number: RawFd) -> OwnedFd {
    // SAFETY: the kernel has just made this descriptor for this process.
    unsafe { OwnedFd::from_raw_fd(number) }
}
