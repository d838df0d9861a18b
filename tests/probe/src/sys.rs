//! The calls that the standard library does not have.
#![allow(unsafe_code, reason = "bare system calls")]

use std::io::Error;
use std::os::fd::{FromRawFd, OwnedFd};

/// The outcome of something that was tried in a child process.
pub(crate) enum Outcome {
    /// It went through.
    Allowed,
    /// The kernel answered with this error number.
    Refused(i32),
    /// The child was killed by this signal.
    Killed(i32),
    /// There was no child.
    NotTried,
}

/// Runs `attempt` in a child, so that what it may change, or the signal that it may get, stays
/// there. The attempt gives a system call's result: negative with `errno` set, or not.
pub(crate) fn in_child(attempt: impl FnOnce() -> i64) -> Outcome {
    // SAFETY: this program has one thread, so the child may do whatever the parent may.
    let child = unsafe { libc::fork() };
    if child < 0 {
        return Outcome::NotTried;
    }
    if child == 0 {
        let code = if attempt() < 0 {
            Error::last_os_error().raw_os_error().unwrap_or(255)
        } else {
            0
        };
        // SAFETY: ends this process, without running what the parent has registered for exit.
        unsafe { libc::_exit(code) };
    }
    let mut status = 0;
    // SAFETY: `child` is our own child, and `status` is a valid place for its status.
    while unsafe { libc::waitpid(child, &raw mut status, 0) } < 0 {
        if Error::last_os_error().raw_os_error() != Some(libc::EINTR) {
            return Outcome::NotTried;
        }
    }
    if libc::WIFSIGNALED(status) {
        Outcome::Killed(libc::WTERMSIG(status))
    } else {
        match libc::WEXITSTATUS(status) {
            0 => Outcome::Allowed,
            code => Outcome::Refused(code),
        }
    }
}

/// Leaves this many processes without a parent, one after the other: each ends as soon as it is one.
pub(crate) fn leave_orphans(count: u32) {
    for _ in 0..count {
        let left = in_child(|| {
            // SAFETY: this program has one thread, so the child may do whatever the parent may.
            unsafe { libc::fork() }.into()
        });
        if matches!(left, Outcome::NotTried) {
            return;
        }
    }
}

/// Makes a child that forks for ever, and whose children do, each in a session of its own.
pub(crate) fn fork_without_end() {
    // SAFETY: this program has one thread, so the child may do whatever the parent may.
    unsafe {
        if libc::fork() == 0 {
            loop {
                if libc::fork() == 0 {
                    libc::setsid();
                }
                libc::usleep(1000);
            }
        }
    }
}

/// Kills every process that this one may kill, and reaps its own children.
pub(crate) fn kill_all() {
    // SAFETY: no memory is touched.
    unsafe {
        libc::kill(-1, libc::SIGKILL);
        while libc::waitpid(-1, std::ptr::null_mut(), libc::WNOHANG) > 0 {}
    }
}

/// A file in memory.
pub(crate) fn memory_file(number: u32) -> Result<std::fs::File, Error> {
    let name = std::ffi::CString::new(number.to_string())?;
    // SAFETY: the name is a string that lives until the call returns.
    let file = unsafe { libc::memfd_create(name.as_ptr(), 0) };
    if file < 0 {
        return Err(Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor for this process.
    Ok(unsafe { std::fs::File::from_raw_fd(file) })
}

/// A descriptor that this process was given.
pub(crate) fn own(number: i32) -> OwnedFd {
    // SAFETY: whoever has started this process has left it there for it, and it is asked for once.
    unsafe { OwnedFd::from_raw_fd(number) }
}

/// Sends as many descriptors of this file at once as the kernel passes, in a message of one byte.
pub(crate) fn send_descriptors(socket: i32, file: i32) -> Result<usize, Error> {
    const COUNT: usize = 253;
    let files = [file; COUNT];
    let length = u32::try_from(size_of_val(&files)).unwrap_or_default();
    // Aligned as the header is.
    let mut control = [0_u64; 256];
    let mut byte = 0_u8;
    let mut part = libc::iovec {
        iov_base: (&raw mut byte).cast(),
        iov_len: 1,
    };
    // SAFETY: a message of zeros is an empty one; all that it points to lives until the call returns, and the space for
    // control messages is larger than what is written to it.
    let sent = unsafe {
        let mut message: libc::msghdr = std::mem::zeroed();
        message.msg_iov = &raw mut part;
        message.msg_iovlen = 1;
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = libc::CMSG_SPACE(length) as usize;
        let header = libc::CMSG_FIRSTHDR(&raw const message);
        (*header).cmsg_level = libc::SOL_SOCKET;
        (*header).cmsg_type = libc::SCM_RIGHTS;
        (*header).cmsg_len = libc::CMSG_LEN(length) as usize;
        let data = libc::CMSG_DATA(header).cast::<i32>();
        std::ptr::copy_nonoverlapping(files.as_ptr(), data, COUNT);
        libc::sendmsg(socket, &raw const message, 0)
    };
    match sent {
        0.. => Ok(COUNT),
        _ => Err(Error::last_os_error()),
    }
}

/// Writes to each page of memory that has just been attached.
pub(crate) fn touch_pages(place: i64, length: usize) {
    let place = std::ptr::with_exposed_provenance_mut::<u8>(place.cast_unsigned() as usize);
    for offset in (0..length).step_by(4096) {
        // SAFETY: the segment is attached there, for writing, and has that length.
        unsafe { place.add(offset).write_volatile(1) };
    }
}

/// Blocks all signals that can be.
pub(crate) fn block_all_signals() {
    // SAFETY: the set lives until the call returns, and is filled before.
    unsafe {
        let mut all: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        libc::sigprocmask(libc::SIG_BLOCK, &raw const all, std::ptr::null_mut());
    }
}

/// A child whose own child loses it at once, and ends a little later.
pub(crate) fn leave_an_orphan() {
    // SAFETY: this program has one thread, so the children may do whatever the parent may.
    unsafe {
        if libc::fork() == 0 {
            if libc::fork() == 0 {
                libc::usleep(10_000);
            }
            libc::_exit(0);
        }
    }
}

/// A child that is stopped, and traced by this process.
pub(crate) fn leave_a_traced_child() {
    // SAFETY: this program has one thread, so the child may do whatever the parent may.
    unsafe {
        if libc::fork() == 0 {
            let nowhere = std::ptr::null_mut::<libc::c_void>();
            libc::ptrace(libc::PTRACE_TRACEME, 0, nowhere, nowhere);
            libc::raise(libc::SIGSTOP);
            libc::_exit(0);
        }
    }
}

/// Stops each process that this one starts from now on, before it does anything, for as long as this program runs.
pub(crate) fn stop_children_of(pid: i32, mut begun: impl FnMut()) {
    let nowhere = std::ptr::null_mut::<libc::c_void>();
    let options = libc::PTRACE_O_TRACEFORK | libc::PTRACE_O_TRACEVFORK | libc::PTRACE_O_TRACECLONE;
    // SAFETY: no memory of this process is touched but the status.
    unsafe {
        if libc::ptrace(libc::PTRACE_SEIZE, pid, nowhere, options as usize) < 0 {
            return;
        }
        begun();
        let mut status = 0;
        loop {
            let process = libc::waitpid(-1, &raw mut status, libc::__WALL);
            if process < 0 {
                return;
            }
            if process == pid && libc::WIFSTOPPED(status) {
                // What is no event is a signal on its way.
                let signal = match status >> 16 {
                    0 => libc::WSTOPSIG(status) as usize,
                    _ => 0,
                };
                libc::ptrace(libc::PTRACE_CONT, pid, nowhere, signal);
            }
        }
    }
}

/// A system call by number. Pointers are given as their addresses.
pub(crate) fn call(number: i64, arguments: [i64; 6]) -> i64 {
    let [a, b, c, d, e, f] = arguments;
    // SAFETY: done in a child that ends at once; every address that is given as an argument is
    // null, invalid on purpose, or that of a value that lives until the call returns and is
    // as large, and as mutable, as the call needs.
    unsafe { libc::syscall(number, a, b, c, d, e, f) }
}

/// Loads a module of the kernel; one that it has already is no matter.
pub(crate) fn load_module(file: i32) {
    // SAFETY: the parameters are an empty string, and the file is open.
    unsafe { libc::syscall(libc::SYS_finit_module, file, c"".as_ptr(), 0) };
}

/// Mounts the kernel's own devices at `/dev`.
pub(crate) fn mount_devices() -> std::io::Result<()> {
    let (name, place) = (c"devtmpfs".as_ptr(), c"/dev".as_ptr());
    // SAFETY: all strings end with a zero byte, and no data are given.
    match unsafe { libc::mount(name, place, name, 0, std::ptr::null()) } {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    }
}

/// The major number of a device.
pub(crate) fn major(device: u64) -> u32 {
    libc::major(device)
}

/// The minor number of a device.
pub(crate) fn minor(device: u64) -> u32 {
    libc::minor(device)
}

/// A device's number.
pub(crate) fn device(major: u32, minor: u32) -> i64 {
    libc::makedev(major, minor).cast_signed()
}

fn prctl(option: i32) -> i32 {
    // SAFETY: called only with options that take no further arguments.
    unsafe { libc::prctl(option, 0, 0, 0, 0) }
}

pub(crate) fn securebits() -> i32 {
    prctl(libc::PR_GET_SECUREBITS)
}

pub(crate) fn dumpable() -> i32 {
    prctl(libc::PR_GET_DUMPABLE)
}

pub(crate) fn parent_death_signal() -> i32 {
    let mut signal = 0;
    // SAFETY: the option writes one int to the address given.
    unsafe { libc::prctl(libc::PR_GET_PDEATHSIG, &raw mut signal) };
    signal
}

/// Waits until one of these descriptors has something, and gives it.
pub(crate) fn readable(numbers: &[i32]) -> Result<i32, Error> {
    let mut polled: Vec<libc::pollfd> = numbers
        .iter()
        .map(|&fd| libc::pollfd {
            fd,
            events: libc::POLLIN,
            revents: 0,
        })
        .collect();
    // SAFETY: the array lives for the call, and has that many entries.
    if unsafe { libc::poll(polled.as_mut_ptr(), polled.len() as libc::nfds_t, -1) } < 0 {
        return Err(Error::last_os_error());
    }
    let found = polled.iter().find(|polled| polled.revents != 0);
    found
        .map(|polled| polled.fd)
        .ok_or_else(Error::last_os_error)
}

/// Takes a connection from a listening socket of any family.
pub(crate) fn accept(listener: i32) -> Result<OwnedFd, Error> {
    let nowhere = std::ptr::null_mut();
    // SAFETY: without a place for the address no memory is touched.
    let connection = unsafe { libc::accept(listener, nowhere, std::ptr::null_mut()) };
    if connection < 0 {
        return Err(Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor for this process.
    Ok(unsafe { OwnedFd::from_raw_fd(connection) })
}

/// Lets a process that is traced call unshare(2) for a user namespace, and kills it. Whether it got one.
#[cfg(target_arch = "x86_64")]
pub(crate) fn makes_user_namespace(pid: i64) -> bool {
    let pid = i32::try_from(pid).unwrap_or(0);
    let nowhere = std::ptr::null_mut::<libc::c_void>();
    let mut status = 0;
    // SAFETY: the process is traced by this one, whose own memory is touched only where the registers are stored.
    unsafe {
        let mut registers: libc::user_regs_struct = std::mem::zeroed();
        let place = (&raw mut registers).cast::<libc::c_void>();
        libc::ptrace(libc::PTRACE_INTERRUPT, pid, nowhere, nowhere);
        let mut answer = u64::MAX;
        if libc::waitpid(pid, &raw mut status, libc::__WALL) == pid
            && libc::WIFSTOPPED(status)
            && libc::ptrace(libc::PTRACE_GETREGS, pid, nowhere, place) == 0
        {
            // The instruction `syscall`.
            libc::ptrace(libc::PTRACE_POKETEXT, pid, registers.rip, 0x050f_u64);
            registers.orig_rax = u64::MAX;
            registers.rax = libc::SYS_unshare.cast_unsigned();
            registers.rdi = libc::CLONE_NEWUSER as u64;
            libc::ptrace(libc::PTRACE_SETREGS, pid, nowhere, place);
            libc::ptrace(libc::PTRACE_SINGLESTEP, pid, nowhere, nowhere);
            if libc::waitpid(pid, &raw mut status, libc::__WALL) == pid
                && libc::WIFSTOPPED(status)
                && libc::ptrace(libc::PTRACE_GETREGS, pid, nowhere, place) == 0
            {
                answer = registers.rax;
            }
        }
        libc::kill(pid, libc::SIGKILL);
        while libc::waitpid(pid, &raw mut status, libc::__WALL) == pid && libc::WIFSTOPPED(status) {
            libc::ptrace(libc::PTRACE_DETACH, pid, nowhere, nowhere);
        }
        answer == 0
    }
}

#[cfg(not(target_arch = "x86_64"))]
pub(crate) fn makes_user_namespace(_pid: i64) -> bool {
    false
}

/// The symbol of an error, `EPERM`.
pub(crate) fn error_name(error: &Error) -> String {
    error
        .raw_os_error()
        .map_or_else(|| error.to_string(), number_name)
}

/// The symbol of an error number.
pub(crate) fn number_name(number: i32) -> String {
    let name = match number {
        libc::EPERM => "EPERM",
        libc::ENOENT => "ENOENT",
        libc::ESRCH => "ESRCH",
        libc::EBADF => "EBADF",
        libc::EAGAIN => "EAGAIN",
        libc::ENOMEM => "ENOMEM",
        libc::EACCES => "EACCES",
        libc::EFAULT => "EFAULT",
        libc::EBUSY => "EBUSY",
        libc::ENODEV => "ENODEV",
        libc::ENOTDIR => "ENOTDIR",
        libc::EINVAL => "EINVAL",
        libc::ENOTTY => "ENOTTY",
        libc::ENOSPC => "ENOSPC",
        libc::ETXTBSY => "ETXTBSY",
        libc::EROFS => "EROFS",
        libc::ENOSYS => "ENOSYS",
        libc::EMFILE => "EMFILE",
        libc::ENOKEY => "ENOKEY",
        libc::EAFNOSUPPORT => "EAFNOSUPPORT",
        libc::EPROTONOSUPPORT => "EPROTONOSUPPORT",
        libc::EOPNOTSUPP => "EOPNOTSUPP",
        libc::ENXIO => "ENXIO",
        libc::EIO => "EIO",
        libc::ELOOP => "ELOOP",
        libc::ETOOMANYREFS => "ETOOMANYREFS",
        libc::ENFILE => "ENFILE",
        libc::ENOBUFS => "ENOBUFS",
        _ => return format!("error {number}"),
    };
    name.to_owned()
}

/// Sends a datagram with a descriptor.
pub(crate) fn send_descriptor(
    socket: std::os::fd::RawFd,
    text: &[u8],
    descriptor: std::os::fd::RawFd,
) -> std::io::Result<()> {
    let mut control = [0_u64; 4];
    let mut part = libc::iovec {
        iov_base: text.as_ptr().cast_mut().cast(),
        iov_len: text.len(),
    };
    // SAFETY: an all-zero header is a valid one.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    // SAFETY: computes a number, and the room of 32 bytes is enough for one descriptor. Everything that the header points
    // to lives for the call, which changes none of it.
    let sent = unsafe {
        let size = u32::try_from(size_of::<libc::c_int>()).unwrap_or_default();
        message.msg_controllen = libc::CMSG_SPACE(size) as usize;
        let header = libc::CMSG_FIRSTHDR(&raw const message);
        (*header).cmsg_level = libc::SOL_SOCKET;
        (*header).cmsg_type = libc::SCM_RIGHTS;
        (*header).cmsg_len = libc::CMSG_LEN(size) as usize;
        libc::CMSG_DATA(header)
            .cast::<libc::c_int>()
            .write_unaligned(descriptor);
        libc::sendmsg(socket, &raw const message, libc::MSG_NOSIGNAL)
    };
    match sent {
        -1 => Err(std::io::Error::last_os_error()),
        _ => Ok(()),
    }
}
