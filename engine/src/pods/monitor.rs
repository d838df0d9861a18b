//! The process that is a pod's monitor.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::PeerCredentials;
use pod::seqpacket::SeqPacket;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::connection::{PATIENCE, wait_readable};
use crate::error::{Error, MonitorError};

/// The monitor at the other end of a connection: that very process, whatever becomes of its number.
#[derive(Debug)]
pub(super) struct Monitor(Option<OwnedFd>);

impl Monitor {
    /// Holds on to the monitor.
    ///
    /// # Errors
    /// If the kernel can't tell who it is.
    pub(super) fn of(connection: &SeqPacket) -> Result<Self, Error> {
        let failed = |errno: io::Error| Error::Monitor(MonitorError::Unknown(errno));
        let credentials =
            getsockopt(connection, PeerCredentials).map_err(|errno| failed(errno.into()))?;
        let Some(pid) = Pid::from_raw(credentials.pid()) else {
            return Ok(Self(None));
        };
        match pidfd_open(pid, PidfdFlags::empty()) {
            // As long as the connection stands, the number is still the monitor's.
            Ok(process) if !wait_readable(connection, Some(Duration::ZERO))? => {
                Ok(Self(Some(process)))
            }
            Ok(_) | Err(Errno::SRCH) => Ok(Self(None)),
            Err(errno) => Err(failed(errno.into())),
        }
    }

    /// Kills it, if it still is.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub(super) fn kill(&self) -> Result<(), Error> {
        let Some(process) = &self.0 else {
            return Ok(());
        };
        match pidfd_send_signal(process, Signal::KILL) {
            Ok(()) | Err(Errno::SRCH) => Ok(()),
            Err(errno) => Err(MonitorError::Kill(errno.into()).into()),
        }
    }

    /// Waits until it is no more. The kernel releases the lock of a pod a moment before the process that
    /// held it is gone.
    ///
    /// # Errors
    /// If the kernel can't tell.
    pub(super) fn wait(&self) -> Result<(), Error> {
        match &self.0 {
            Some(process) => wait_readable(process, Some(PATIENCE)).map(drop),
            None => Ok(()),
        }
    }
}
