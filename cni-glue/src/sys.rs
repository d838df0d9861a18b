//! The system calls that no crate offers in a safe form.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Asks a netlink socket for the kernel's own words on errors, and for short acknowledgements.
///
/// # Errors
/// The kernel's answer; kernels before 4.12 know neither.
pub(crate) fn explain_errors(socket: BorrowedFd<'_>) -> io::Result<()> {
    set_option(socket, libc::NETLINK_EXT_ACK)?;
    set_option(socket, libc::NETLINK_CAP_ACK)
}

fn set_option(socket: BorrowedFd<'_>, option: libc::c_int) -> io::Result<()> {
    let on: libc::c_int = 1;
    // SAFETY: the option's value is an int, which lives across the call; its length is passed.
    let answer = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_NETLINK,
            option,
            (&raw const on).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    if answer == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Asks for one SIGIO when something is next made or removed in a directory.
///
/// # Errors
/// `EINVAL` from a kernel without dnotify.
pub(crate) fn notify_once(folder: BorrowedFd<'_>) -> io::Result<()> {
    /// `DN_CREATE`, `DN_DELETE` and `DN_RENAME` of `fcntl(2)`.
    const CHANGES: libc::c_int = 0x4 | 0x8 | 0x10;
    // SAFETY: the argument is a number; the call changes nothing of this process's memory.
    match unsafe { libc::fcntl(folder.as_raw_fd(), libc::F_NOTIFY, CHANGES) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Makes what `/dev/net/tun` was opened as the other end of a new interface, which takes whole frames, each behind a
/// header of virtio's.
///
/// # Errors
/// `EBUSY` if there is an interface of that name.
pub(crate) fn become_tap(device: BorrowedFd<'_>, name: &str) -> io::Result<()> {
    // SAFETY: all-zero is a valid ifreq.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    // One less, so that there is a NUL byte.
    let room = libc::IFNAMSIZ - 1;
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes().take(room)) {
        *to = from.cast_signed();
    }
    let flags = libc::IFF_TAP | libc::IFF_NO_PI | libc::IFF_VNET_HDR;
    request.ifr_ifru.ifru_flags = flags as libc::c_short;
    // SAFETY: the request is an ifreq with a name that ends, and lives across the call.
    let answer = unsafe { libc::ioctl(device.as_raw_fd(), libc::TUNSETIFF, &raw const request) };
    match answer {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Sends a frame as it is by an interface.
#[cfg(test)]
pub(crate) fn send_frame(interface: &str, frame: &[u8]) -> io::Result<()> {
    use std::os::fd::FromRawFd;
    let name = std::ffi::CString::new(interface)?;
    // SAFETY: the name ends with a NUL byte.
    let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
    // SAFETY: makes a descriptor, or gives -1.
    let socket = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW, 0) };
    if socket < 0 || index == 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor was just made and is nobody else's.
    let socket = unsafe { std::os::fd::OwnedFd::from_raw_fd(socket) };
    // SAFETY: all-zero is a valid sockaddr_ll.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_ifindex = index.cast_signed();
    // SAFETY: frame and address live across the call, and their lengths are theirs.
    let sent = unsafe {
        libc::sendto(
            socket.as_raw_fd(),
            frame.as_ptr().cast(),
            frame.len(),
            0,
            (&raw const address).cast(),
            size_of::<libc::sockaddr_ll>() as libc::socklen_t,
        )
    };
    match sent {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Makes `command` start its program as a plugin: nothing of this process is inherited but the three streams, the
/// environment and, if given, a lock, and no signal is blocked. Without a lock it dies with the thread that started it.
pub(crate) fn start_alone<'a>(
    command: &'a mut Command,
    lock: Option<BorrowedFd<'_>>,
) -> &'a mut Command {
    let parent = std::process::id();
    let lock = lock.map(|lock| lock.as_raw_fd());
    let prepare = move || {
        // SAFETY: `close_range` with this flag marks descriptors and closes none; `sigset_t` is plain data that
        // `sigemptyset` fills in; `fcntl` is given a number; all five calls may be made between fork and exec.
        let answer = unsafe {
            let mut none: libc::sigset_t = std::mem::zeroed();
            libc::sigemptyset(&raw mut none);
            libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
            if lock.is_none() && libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) != 0 {
                -1
            } else {
                let marked = libc::syscall(
                    libc::SYS_close_range,
                    3,
                    libc::c_uint::MAX,
                    libc::CLOSE_RANGE_CLOEXEC,
                );
                match lock {
                    Some(lock) if marked == 0 => libc::fcntl(lock, libc::F_SETFD, 0).into(),
                    _ => marked,
                }
            }
        };
        if answer != 0 {
            return Err(io::Error::last_os_error());
        }
        if std::os::unix::process::parent_id() != parent {
            return Err(io::Error::from_raw_os_error(libc::ECHILD));
        }
        Ok(())
    };
    // SAFETY: the closure only makes system calls; it allocates nothing and takes no lock.
    unsafe { command.pre_exec(prepare) }
}
