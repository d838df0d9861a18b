//! The one place of this crate that steps outside of what the compiler can check.
#![allow(unsafe_code)]

use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Output, Stdio};

use nix::errno::Errno;
use nix::libc;
use nix::sys::signal::SigSet;
use rustix::process::{Resource, setrlimit};

use crate::descriptor_limit;

/// A command whose program inherits descriptors. It lives no longer than they are open, so that the program gets what was
/// meant under their numbers, and not what has taken them since.
#[derive(Debug)]
pub struct InheritingCommand<'fd> {
    command: Command,
    inherited: PhantomData<BorrowedFd<'fd>>,
}

impl<'fd> InheritingCommand<'fd> {
    /// Lets the program of a command inherit these descriptors, and begin with exactly these signals blocked, if a mask
    /// is given. Flags, mask and limit are changed once the command runs, in the process that becomes the program: what
    /// other threads start meanwhile inherits nothing.
    pub(crate) fn new(
        mut command: Command,
        descriptors: &[BorrowedFd<'fd>],
        blocked: Option<SigSet>,
    ) -> Self {
        let numbers: Vec<RawFd> = descriptors.iter().map(AsRawFd::as_raw_fd).collect();
        let limit = descriptor_limit::of_programs();
        let prepare = move || {
            for number in &numbers {
                // SAFETY: takes three numbers and touches no memory of ours. Whoever runs the command has borrowed
                // it, and it has borrowed the descriptors: the numbers are theirs.
                let flagged = unsafe { libc::fcntl(*number, libc::F_SETFD, 0) };
                if flagged == -1 {
                    return Err(io::Error::last_os_error());
                }
            }
            if let Some(limit) = limit {
                setrlimit(Resource::Nofile, limit)?;
            }
            match &blocked {
                Some(blocked) => Ok(blocked.thread_set_mask()?),
                None => Ok(()),
            }
        };
        // SAFETY: after a fork the closure makes system calls alone, and allocates only where it fails.
        unsafe { command.pre_exec(prepare) };
        Self {
            command,
            inherited: PhantomData,
        }
    }

    /// What the program reads.
    pub fn stdin(&mut self, stdin: Stdio) -> &mut Self {
        self.command.stdin(stdin);
        self
    }

    /// Where its output goes.
    pub fn stdout(&mut self, stdout: Stdio) -> &mut Self {
        self.command.stdout(stdout);
        self
    }

    /// Where its error messages go.
    pub fn stderr(&mut self, stderr: Stdio) -> &mut Self {
        self.command.stderr(stderr);
        self
    }

    /// Executes the program in the place of this one. Returns only if that fails.
    pub fn exec(&mut self) -> io::Error {
        self.command.exec()
    }

    /// Starts the program as a child of this process.
    ///
    /// # Errors
    /// Why it can't be started.
    pub fn spawn(&mut self) -> io::Result<Child> {
        self.command.spawn()
    }

    /// Starts the program in a session of its own, as a child of nobody here: init looks after it, or whoever is the next
    /// subreaper.
    ///
    /// # Errors
    /// Why it can't be started.
    pub fn spawn_detached(&mut self) -> io::Result<()> {
        let leave = || {
            // SAFETY: as fork(2), without what the C library does beside it: this is a child of a process with threads, which
            // has one thread, makes system calls alone and executes a program. No memory is shared.
            match unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) } {
                -1 => Err(io::Error::last_os_error()),
                // SAFETY: makes a system call.
                0 => match unsafe { libc::setsid() } {
                    -1 => Err(io::Error::last_os_error()),
                    _ => Ok(()),
                },
                // SAFETY: ends this process at once. Its child reports whether the program was executed.
                _ => unsafe { libc::_exit(0) },
            }
        };
        // SAFETY: the closure makes system calls alone, and allocates only where it fails.
        unsafe { self.command.pre_exec(leave) };
        // The one between ends before the program is executed, or when it couldn't be.
        self.command.spawn()?.wait().map(drop)
    }

    /// Starts the program, and waits for its end and all of its output.
    ///
    /// # Errors
    /// Why it can't be started or waited for.
    pub fn output(&mut self) -> io::Result<Output> {
        self.command.output()
    }
}

/// An option of a socket that is a number, getsockopt(2).
pub(crate) fn socket_option(
    socket: impl AsFd,
    level: libc::c_int,
    name: libc::c_int,
) -> Result<u64, Errno> {
    let mut value = [0_u8; size_of::<u64>()];
    let mut length = size_of_val(&value) as libc::socklen_t;
    // SAFETY: the descriptor is borrowed for the call, and the kernel writes no more bytes than the buffer has.
    let got = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            level,
            name,
            value.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    Errno::result(got)?;
    let [low @ .., _, _, _, _] = value;
    Ok(match length {
        8 => u64::from_ne_bytes(value),
        _ => u32::from_ne_bytes(low).into(),
    })
}

/// Whether the kernel answers clone3(2), which has made nothing if it was told nothing.
pub(crate) fn answers_clone3() -> bool {
    let nothing = std::ptr::null::<libc::c_void>();
    // SAFETY: with a size of 0 the kernel reads no arguments and answers EINVAL.
    let answer = unsafe { libc::syscall(libc::SYS_clone3, nothing, 0_usize) };
    answer == -1 && Errno::last() == Errno::EINVAL
}

/// The version of Landlock's interface, if the kernel has it and it is enabled.
pub(crate) fn landlock_version() -> Option<u32> {
    const VERSION: u32 = 1;
    let nothing = std::ptr::null::<libc::c_void>();
    // SAFETY: with this flag the kernel takes no attributes and makes nothing.
    let answer =
        unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, nothing, 0_usize, VERSION) };
    u32::try_from(answer).ok()
}
