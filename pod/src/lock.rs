//! The lock that says that a pod is alive.
//!
//! An open file description lock (fcntl(2), `F_OFD_SETLK`) on the file `lock` in the pod folder. It
//! goes with the descriptor through exec, and the kernel lets go of it when the last process that holds
//! the descriptor dies. Unlike flock(2) it can be asked about without taking it, so that a
//! `list` never makes an `rm` or a `run-prepared` beside it fail.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::libc;

use crate::error::PodError;

/// Name of the lock file in a pod folder.
pub const LOCK_FILE: &str = "lock";

/// A pod's lock, held.
#[derive(Debug)]
pub struct PodLock(OwnedFd);

/// A write lock on the whole file.
fn whole_file() -> libc::flock {
    libc::flock {
        l_type: libc::F_WRLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    }
}

impl PodLock {
    /// Takes the lock of the pod in `folder`, creating the lock file if it is missing.
    ///
    /// # Errors
    /// [`PodError::Io`] if the file can't be opened. `Ok(None)` if another process holds the lock.
    pub fn acquire(folder: &Path) -> Result<Option<Self>, PodError> {
        let path = folder.join(LOCK_FILE);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(PodError::io("open", &path))?;
        match fcntl(&file, FcntlArg::F_OFD_SETLK(&whole_file())) {
            Ok(_) => Ok(Some(Self(file.into()))),
            Err(Errno::EAGAIN | Errno::EACCES) => Ok(None),
            Err(errno) => Err(PodError::errno("lock", &path)(errno)),
        }
    }

    /// Whether somebody holds the lock of the pod in `folder`. Takes nothing.
    ///
    /// # Errors
    /// [`PodError::Io`] if the lock can't be asked about. A missing file or folder counts as not held.
    pub fn is_held(folder: &Path) -> Result<bool, PodError> {
        let path = folder.join(LOCK_FILE);
        let file = match OpenOptions::new().read(true).open(&path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(e) => return Err(PodError::io("open", &path)(e)),
        };
        let mut probe = whole_file();
        fcntl(&file, FcntlArg::F_OFD_GETLK(&mut probe)).map_err(PodError::errno("probe", &path))?;
        Ok(i32::from(probe.l_type) != libc::F_UNLCK)
    }

    /// Takes over a lock that the parent or the previous program image handed down as a descriptor.
    /// The descriptor is marked close-on-exec: no app may inherit it.
    ///
    /// # Errors
    /// [`PodError::Protocol`] if `text` doesn't name an open descriptor.
    pub fn from_inherited(text: &str) -> Result<Self, PodError> {
        crate::stage1::inherited_fd(text).map(Self)
    }

    /// Lets the lock live on through exec; returns the descriptor's number for the environment.
    ///
    /// # Errors
    /// [`PodError::Protocol`] if the flag can't be changed.
    pub fn pass_on(&self) -> Result<RawFd, PodError> {
        fcntl(&self.0, FcntlArg::F_SETFD(FdFlag::empty()))
            .map_err(|errno| PodError::Protocol(format!("cannot hand the lock on: {errno}")))?;
        Ok(self.0.as_raw_fd())
    }
}

impl AsFd for PodLock {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl From<PodLock> for OwnedFd {
    fn from(lock: PodLock) -> Self {
        lock.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_sees_the_holder_and_takes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        assert!(!PodLock::is_held(dir.path()).unwrap());
        let lock = PodLock::acquire(dir.path()).unwrap().unwrap();
        assert!(PodLock::is_held(dir.path()).unwrap());
        assert!(PodLock::acquire(dir.path()).unwrap().is_none());
        drop(lock);
        assert!(!PodLock::is_held(dir.path()).unwrap());
        assert!(PodLock::acquire(dir.path()).unwrap().is_some());
    }
}
