//! The process in the background that becomes a pod's monitor.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::signal::Signal;
use nix::unistd::{ForkResult, Pid, pipe2};

use crate::sys;

/// What a fork has made of this process.
#[derive(Debug)]
pub(crate) enum Forked {
    /// It is to become the monitor.
    Monitor,
    /// It is what it was, and has this monitor in the background.
    Command(Background),
}

/// A process in the background, as the command sees it that has started it.
#[derive(Debug)]
pub(crate) struct Background {
    pid: Pid,
    process: OwnedFd,
    /// Whether it is a child of the command's, which hears of its end.
    is_child: bool,
}

impl Background {
    /// Its number.
    pub(crate) fn pid(&self) -> Pid {
        self.pid
    }

    /// Sends it a signal, unless it has ended.
    pub(crate) fn send(&self, signal: Signal) {
        // What has ended needs none.
        let _ = sys::send_signal(&self.process, signal);
    }

    /// Lets go of it after its end. Whether a signal has ended it, as far as anybody but its parent can tell.
    pub(crate) fn was_killed(self, was_sent_kill: bool) -> bool {
        match self.is_child {
            true => sys::was_killed(self.pid).unwrap_or(false),
            false => was_sent_kill,
        }
    }
}

impl AsFd for Background {
    /// Can be read once it has ended.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.process.as_fd()
    }
}

/// Starts a child.
///
/// # Errors
/// What fork(2) and pidfd_open(2) answer.
pub(crate) fn child() -> Result<Forked, Errno> {
    match sys::fork()? {
        ForkResult::Child => Ok(Forked::Monitor),
        ForkResult::Parent { child } => known(child, true).map(Forked::Command),
    }
}

/// Starts a process that is nobody's child but the service manager's: that takes a process for a service's main one, and
/// waits for its end, only if it is its own child when it hears of it.
///
/// # Errors
/// As [`child`].
pub(crate) fn adopted() -> Result<Forked, Errno> {
    let (number, number_end) = pipe2(OFlag::O_CLOEXEC)?;
    let (leave, stay) = pipe2(OFlag::O_CLOEXEC)?;
    match sys::fork()? {
        ForkResult::Child => {
            drop((number, stay));
            let forked = sys::fork();
            if let Ok(ForkResult::Child) = forked {
                return Ok(Forked::Monitor);
            }
            between(forked, number_end, leave);
        }
        ForkResult::Parent { child: between } => {
            drop((number_end, leave));
            // Its parent is there still, so that the number is its own.
            let monitor = read_number(number).and_then(|pid| known(pid, false));
            drop(stay);
            // From here on, the monitor has its new parent. There is no other child to be taken for this one.
            let _ = sys::was_killed(between);
            monitor.map(Forked::Command)
        }
    }
}

/// Tells the number of the process that was forked, or why none was, and ends once nobody needs its parent any more.
fn between(forked: Result<ForkResult, Errno>, number: OwnedFd, leave: OwnedFd) -> ! {
    let said = match forked {
        Ok(ForkResult::Parent { child }) => child.as_raw(),
        Ok(ForkResult::Child) => 0,
        Err(errno) => -(errno as i32),
    };
    // If the command is gone, there is nobody to tell.
    let _ = File::from(number).write_all(&said.to_ne_bytes());
    let _ = File::from(leave).read(&mut [0]);
    std::process::exit(0);
}

fn read_number(number: OwnedFd) -> Result<Pid, Errno> {
    let mut said = [0; 4];
    match File::from(number).read_exact(&mut said) {
        Err(_) => Err(Errno::ECHILD),
        Ok(()) => match i32::from_ne_bytes(said) {
            pid if pid > 0 => Ok(Pid::from_raw(pid)),
            errno => Err(Errno::from_raw(-errno)),
        },
    }
}

fn known(pid: Pid, is_child: bool) -> Result<Background, Errno> {
    match sys::open_process(pid) {
        Ok(process) => Ok(Background {
            pid,
            process,
            is_child,
        }),
        Err(errno) => {
            // Nobody could tell it anything.
            let _ = nix::sys::signal::kill(pid, Signal::SIGKILL);
            Err(errno)
        }
    }
}
