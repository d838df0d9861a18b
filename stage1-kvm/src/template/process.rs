//! The program of a machine that is not the pod's yet.

use std::os::fd::{AsFd, OwnedFd};

use rustix::process::{Signal, WaitId, WaitIdOptions, pidfd_send_signal, waitid};
use stage1::failure::StartFailure;

/// It is killed when this goes, and waited for.
#[derive(Debug)]
pub(super) struct Process {
    pidfd: OwnedFd,
    is_kept: bool,
}

impl Process {
    pub(super) fn new(pidfd: OwnedFd) -> Self {
        Self {
            pidfd,
            is_kept: false,
        }
    }

    pub(super) fn pidfd(&self) -> &OwnedFd {
        &self.pidfd
    }

    /// It is the pod's from now on.
    pub(super) fn keep(mut self) -> Result<OwnedFd, StartFailure> {
        let pidfd = self.pidfd.try_clone();
        let pidfd = pidfd.map_err(StartFailure::os("duplicate a descriptor"))?;
        self.is_kept = true;
        Ok(pidfd)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !self.is_kept {
            // It may have ended.
            let _ = pidfd_send_signal(&self.pidfd, Signal::KILL);
            let _ = waitid(WaitId::PidFd(self.pidfd.as_fd()), WaitIdOptions::EXITED);
        }
    }
}
