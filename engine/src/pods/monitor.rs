//! The process that is a pod's monitor.

use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::PeerCredentials;
use pod::PodEntry;
use pod::lock::LOCK_FILE;
use pod::seqpacket::SeqPacket;
use pod::stage1::{ENV_ENTRY_POINT, ENV_LOCK_FD};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::connection::{PATIENCE, wait_readable};
use super::stopped;
use crate::error::{Error, MonitorError};

/// Between two looks whether a monitor that is waited for is stopped: the kernel tells only its parent.
const STOPPED_AGAIN: Duration = Duration::from_millis(200);

/// The monitor at the other end of a connection: that very process, whatever becomes of its number.
#[derive(Debug)]
pub(crate) struct Monitor(Option<OwnedFd>);

impl Monitor {
    /// Holds on to the monitor.
    ///
    /// # Errors
    /// If the kernel can't tell who it is.
    pub(crate) fn of(connection: &SeqPacket) -> Result<Self, Error> {
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

    /// The monitor of a pod that can't be connected to: the isolator's process in the pod's directory that holds the pod's
    /// lock, and was called to run the pod. `None` if there is none: what clears up after a pod holds its lock, too.
    ///
    /// # Errors
    /// If the kernel can't tell.
    pub(super) fn holding(entry: &PodEntry) -> Result<Option<Self>, Error> {
        let processes = Path::new("/proc");
        let listed = fs::read_dir(processes).map_err(Error::io("read", processes))?;
        let numbers = listed.filter_map(|process| {
            let number = process.ok()?.file_name().to_str()?.parse().ok()?;
            Pid::from_raw(number)
        });
        for number in numbers {
            let Ok(process) = pidfd_open(number, PidfdFlags::empty()) else {
                continue;
            };
            let directory = processes.join(number.as_raw_pid().to_string());
            // If it is still there, the number was its all the while.
            if is_in(&directory, entry)
                && runs_pod(&directory)
                && holds_lock(&directory, entry)
                && !wait_readable(&process, Some(Duration::ZERO))?
            {
                return Ok(Some(Self(Some(process))));
            }
        }
        Ok(None)
    }

    /// What becomes readable when it ends; `None` if it has.
    pub(crate) fn process(&self) -> Option<BorrowedFd<'_>> {
        self.0.as_ref().map(AsFd::as_fd)
    }

    /// Waits until the monitor says something on this connection, or closes it; false if the time is up. Lets it go on
    /// whenever it is found stopped, as by Ctrl-Z: a SIGSTOP that was sent takes effect only when its process runs next,
    /// and another may follow.
    ///
    /// # Errors
    /// If the kernel can't tell.
    pub(super) fn wait_for_word(
        &self,
        connection: &SeqPacket,
        patience: Option<Duration>,
    ) -> Result<bool, Error> {
        // Longer than the clock counts is for ever.
        let deadline = patience.and_then(|patience| Instant::now().checked_add(patience));
        loop {
            self.wake();
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let round = left.map_or(STOPPED_AGAIN, |left| left.min(STOPPED_AGAIN));
            if wait_readable(connection, Some(round))? {
                return Ok(true);
            }
            if left.is_some_and(|left| left <= round) {
                return Ok(false);
            }
        }
    }

    /// Lets it go on if it is stopped.
    fn wake(&self) {
        if let Some(process) = &self.0
            && is_stopped(process)
        {
            // One that has ended meanwhile is found so by whoever asks it for something.
            let _ = pidfd_send_signal(process, Signal::CONT);
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

/// Whether a process is stopped.
fn is_stopped(process: &OwnedFd) -> bool {
    let number = || {
        let told = fs::read_to_string(format!("/proc/self/fdinfo/{}", process.as_raw_fd())).ok()?;
        let number = told.lines().find_map(|line| line.strip_prefix("Pid:"))?;
        number.trim().parse().ok()
    };
    number().is_some_and(stopped::is_stopped)
}

/// Whether a process, of which /proc tells in `process`, works in the pod's directory.
fn is_in(process: &Path, entry: &PodEntry) -> bool {
    fs::read_link(process.join("cwd"))
        .is_ok_and(|directory| directory.ends_with(entry.uuid.to_string()))
}

/// Whether it was executed as the entry point `run` of an isolator. Between fork(2) and execve(2), a process is still one of
/// whoever calls the isolator.
fn runs_pod(process: &Path) -> bool {
    let Ok(environment) = fs::read(process.join("environ")) else {
        return false;
    };
    let has = |name: &str| {
        let mut variables = environment.split(|byte| *byte == 0);
        let is_it = |rest: &[u8]| rest.first() == Some(&b'=');
        variables.any(|one| one.strip_prefix(name.as_bytes()).is_some_and(is_it))
    };
    has(ENV_LOCK_FD) && !has(ENV_ENTRY_POINT)
}

/// Whether it holds the pod's lock by one of its descriptors.
fn holds_lock(process: &Path, entry: &PodEntry) -> bool {
    let identity = |path: &Path| fs::metadata(path).ok().map(|file| (file.dev(), file.ino()));
    let lock = identity(&entry.path.join(LOCK_FILE));
    let Ok(descriptors) = fs::read_dir(process.join("fd")) else {
        return false;
    };
    descriptors.flatten().any(|descriptor| {
        let path = descriptor.path();
        // Others are not even looked at: they may be on a file system that does not answer.
        let named = fs::read_link(&path).is_ok_and(|target| target.ends_with(LOCK_FILE));
        let information = process.join("fdinfo").join(descriptor.file_name());
        named
            && lock.is_some()
            && identity(&path) == lock
            && fs::read_to_string(information).is_ok_and(|text| holds(&text))
    })
}

/// Whether an open file has an exclusive lock, as proc_pid_fdinfo(5) shows it.
fn holds(information: &str) -> bool {
    information.lines().any(|line| {
        let mut words = line.split_whitespace();
        words.next() == Some("lock:")
            && words.nth(1) == Some("OFDLCK")
            && words.nth(1) == Some("WRITE")
    })
}

#[cfg(test)]
mod tests {
    use pod::{Phase, PodUuid, PodsDir};

    use super::*;

    #[test]
    fn only_who_holds_the_lock_is_seen_to() {
        let dir = tempfile::tempdir().unwrap();
        let pods = PodsDir::new(dir.path());
        let mut pod = pods.create(PodUuid::random()).unwrap();
        pod.move_to(Phase::Run).unwrap();
        let entry = pods.by_uuid(pod.uuid()).unwrap().unwrap();
        let this = Path::new("/proc/self");
        assert!(holds_lock(this, &entry));
        // It is not in the pod's directory.
        assert!(Monitor::holding(&entry).unwrap().is_none());
        let _open = fs::File::open(entry.path.join(LOCK_FILE)).unwrap();
        drop(pod);
        assert!(!holds_lock(this, &entry));
    }
}
