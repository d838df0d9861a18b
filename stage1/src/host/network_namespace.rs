//! A pod's network namespace: made by the process that becomes pod init, while the monitor makes everything else.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use crate::failure::StartFailure;
use nix::sched::{CloneFlags, unshare};
use rustix::io::Errno;
use rustix::process::{WaitId, WaitIdOptions, waitid};

use super::gate::Gate;

/// What is told once the namespace is there. Where it can't be made, the error's number is told.
const MADE: u64 = 1 << 32;

const MAKE: &str = "make a network namespace";

/// The namespace that is to be, and the gate at which the monitor waits for it.
#[derive(Debug)]
pub struct NetworkNamespace(Gate);

impl NetworkNamespace {
    /// One that is not made yet.
    ///
    /// # Errors
    /// [`StartFailure`] if the kernel has no room.
    pub fn new() -> Result<Self, StartFailure> {
        Gate::new().map(Self).map_err(StartFailure::os(MAKE))
    }

    /// Makes it, and enters it. For the process between clone and exec.
    pub(super) fn make(&self) -> Result<(), Errno> {
        let made = unshare(CloneFlags::CLONE_NEWNET);
        self.0.tell(match made {
            Ok(()) => MADE,
            Err(errno) => u64::from((errno as i32).unsigned_abs()),
        })?;
        made.map_err(|errno| Errno::from_raw_os_error(errno as i32))
    }

    /// The namespace that is to be this process's.
    ///
    /// # Errors
    /// [`StartFailure`] if there is no descriptor left.
    pub fn of(self, pid: i32, process: &OwnedFd) -> Result<FutureNetns, StartFailure> {
        Ok(FutureNetns {
            made: self.0,
            pid,
            process: process.try_clone().map_err(StartFailure::os(MAKE))?,
        })
    }
}

/// A namespace that a process may still be making.
#[derive(Debug)]
pub struct FutureNetns {
    made: Gate,
    pid: i32,
    process: OwnedFd,
}

impl FutureNetns {
    /// The namespace as soon as it is made. If the process has ended before, its exit code, or none if it was killed.
    ///
    /// # Errors
    /// [`StartFailure`] if it could not be made.
    pub fn wait(self) -> Result<Result<OwnedFd, Option<i32>>, StartFailure> {
        let told = self.made.wait(self.process.as_fd());
        match told.map_err(StartFailure::os(MAKE))? {
            Some(MADE) => {}
            Some(errno) => {
                let errno = i32::try_from(errno).unwrap_or(libc::EIO);
                return Err(StartFailure::os(MAKE)(Errno::from_raw_os_error(errno)));
            }
            None => return self.exit_code().map(Err),
        }
        let path = format!("/proc/{}/ns/net", self.pid);
        match File::open(&path) {
            Ok(namespace) => Ok(Ok(namespace.into())),
            // A process that has ended since, or is being killed, has none: its memory may have been too little.
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.exit_code().map(Err),
            Err(error) => Err(StartFailure::os(format_args!("open {path}"))(error)),
        }
    }

    /// Leaves the end to whoever waits for it.
    fn exit_code(&self) -> Result<Option<i32>, StartFailure> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        let ended = waitid(WaitId::PidFd(self.process.as_fd()), options);
        let ended = ended.map_err(StartFailure::os("wait for pod init"))?;
        Ok(ended.and_then(|status| status.exit_status()))
    }
}
