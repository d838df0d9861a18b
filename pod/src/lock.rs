//! The lock that says that a pod is alive.
//!
//! An open file description lock (fcntl(2), `F_OFD_SETLK`) on the file `lock` in the pod directory. It
//! goes with the descriptor through exec, and the kernel lets go of it when the last process that holds
//! the descriptor dies. Unlike flock(2) it can be asked about without taking it, so that a
//! `list` never makes an `rm` or a `run-prepared` beside it fail.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use rustix::fs::{FlockOperation, flock};
use rustix::io::retry_on_intr;

use crate::error::PodError;

/// Name of the lock file in a pod directory.
pub const LOCK_FILE: &str = "lock";

/// A pod's lock, held.
#[derive(Debug)]
pub struct PodLock(OwnedFd);

/// Opens a lock file. Whatever an attacker, or a mishap, has put in its place, nobody waits for it.
fn open(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    let file = options.custom_flags(libc::O_NONBLOCK).open(path)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::other("it is not a regular file")),
    }
}

/// A lock on the whole file.
fn lock(kind: libc::c_int) -> libc::flock {
    libc::flock {
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    }
}

/// The kind of lock that somebody else holds: `F_WRLCK`, `F_RDLCK` or `F_UNLCK`.
fn holder(file: &File, path: &Path) -> Result<libc::c_int, PodError> {
    let mut probe = lock(libc::F_WRLCK);
    fcntl(file, FcntlArg::F_OFD_GETLK(&mut probe)).map_err(PodError::errno("probe", path))?;
    Ok(probe.l_type.into())
}

fn set_and_wait(file: &File, kind: libc::c_int) -> Result<(), Errno> {
    loop {
        match fcntl(file, FcntlArg::F_OFD_SETLKW(&lock(kind))) {
            Err(Errno::EINTR) => {}
            other => return other.map(|_| ()),
        }
    }
}

/// A look at a pod's lock that stays with the pod wherever its directory is moved.
#[derive(Debug)]
pub struct LockWatch {
    file: File,
    path: PathBuf,
}

impl LockWatch {
    /// Opens the lock of the pod in `folder`. `None` if there is none.
    ///
    /// # Errors
    /// [`PodError::Io`] if it can't be opened.
    pub fn open(folder: &Path) -> Result<Option<Self>, PodError> {
        let path = folder.join(LOCK_FILE);
        match open(OpenOptions::new().read(true), &path) {
            Ok(file) => Ok(Some(Self { file, path })),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(PodError::io("open", &path)(e)),
        }
    }

    /// Waits until nobody holds the lock.
    ///
    /// # Errors
    /// [`PodError::Io`] if the kernel can't tell.
    pub fn wait(self) -> Result<(), PodError> {
        // Shared, so that many can wait; dropping the file gives it back.
        set_and_wait(&self.file, libc::F_RDLCK).map_err(PodError::errno("wait for", &self.path))
    }
}

impl PodLock {
    /// Takes the lock of the pod in `folder`, creating the lock file if it is missing.
    ///
    /// # Errors
    /// [`PodError::Io`] if the file can't be opened. `Ok(None)` if another process holds the lock.
    pub fn acquire(folder: &Path) -> Result<Option<Self>, PodError> {
        let path = folder.join(LOCK_FILE);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let file = open(options.mode(0o600), &path).map_err(PodError::io("open", &path))?;
        match fcntl(&file, FcntlArg::F_OFD_SETLK(&lock(libc::F_WRLCK))) {
            Ok(_) => return Ok(Some(Self(file.into()))),
            Err(Errno::EAGAIN | Errno::EACCES) => {}
            Err(errno) => return Err(PodError::errno("lock", &path)(errno)),
        }
        if holder(&file, &path)? != libc::F_RDLCK {
            return Ok(None);
        }
        // Somebody has just seen the pod's end ([`LockWatch::wait`]) and is about to let go.
        set_and_wait(&file, libc::F_WRLCK).map_err(PodError::errno("lock", &path))?;
        Ok(Some(Self(file.into())))
    }

    /// Whether somebody holds the lock of the pod in `folder`. Takes nothing.
    ///
    /// # Errors
    /// [`PodError::Io`] if the lock can't be asked about. A missing file or directory counts as not held.
    pub fn is_held(folder: &Path) -> Result<bool, PodError> {
        let path = folder.join(LOCK_FILE);
        let file = match open(OpenOptions::new().read(true), &path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(e) => return Err(PodError::io("open", &path)(e)),
        };
        Ok(holder(&file, &path)? == libc::F_WRLCK)
    }

    /// Lets go of it for all who have inherited it. Without that, a child of another thread that is yet to execute its program
    /// would hold it for a moment longer, and who asks would take the pod for one that runs.
    pub(crate) fn release(self) {
        // If it fails, it goes with the descriptor.
        let _ = fcntl(&self.0, FcntlArg::F_OFD_SETLK(&lock(libc::F_UNLCK)));
    }

    /// Takes over a lock that the parent or the previous program image handed down as a descriptor.
    /// The descriptor is marked close-on-exec: no app may inherit it.
    ///
    /// # Errors
    /// [`PodError::Protocol`] if `text` doesn't name an open descriptor.
    pub fn from_inherited(text: &str) -> Result<Self, PodError> {
        crate::stage1::inherited_fd(text).map(Self)
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

/// Locks a directory, or a file, for as long as the result is kept.
pub(crate) fn lock_path(path: &Path, how: FlockOperation) -> Result<File, PodError> {
    // A pipe in its place is no reason to wait.
    let dir = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)
        .map_err(PodError::io("open", path))?;
    retry_on_intr(|| flock(&dir, how)).map_err(PodError::errno("lock", path))?;
    Ok(dir)
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
        // One that can't be asked about is not free.
        let file = dir.path().join("file");
        std::fs::write(&file, "").unwrap();
        for error in [
            PodLock::is_held(&file).unwrap_err(),
            LockWatch::open(&file).map(drop).unwrap_err(),
            PodLock::acquire(&file).map(drop).unwrap_err(),
        ] {
            assert!(error.to_string().contains("file/lock"), "{error}");
        }
    }

    #[test]
    fn a_pipe_in_its_place_is_told_and_not_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let made = std::process::Command::new("mkfifo")
            .arg(dir.path().join(LOCK_FILE))
            .status();
        assert!(made.unwrap().success());
        for error in [
            PodLock::is_held(dir.path()).unwrap_err(),
            LockWatch::open(dir.path()).map(drop).unwrap_err(),
            PodLock::acquire(dir.path()).map(drop).unwrap_err(),
        ] {
            assert!(error.to_string().contains("not a regular file"), "{error}");
        }
    }

    #[test]
    fn who_has_inherited_it_does_not_hold_what_was_released() {
        let dir = tempfile::tempdir().unwrap();
        let lock = PodLock::acquire(dir.path()).unwrap().unwrap();
        let inherited = lock.0.try_clone().unwrap();
        lock.release();
        assert!(!PodLock::is_held(dir.path()).unwrap());
        drop(inherited);
    }

    #[test]
    fn a_watch_sees_the_end_wherever_the_folder_went() {
        let dir = tempfile::tempdir().unwrap();
        let (here, there) = (dir.path().join("a"), dir.path().join("b"));
        std::fs::create_dir(&here).unwrap();
        let lock = PodLock::acquire(&here).unwrap().unwrap();
        let watch = LockWatch::open(&here).unwrap().unwrap();
        std::fs::rename(&here, &there).unwrap();
        let (ended, end) = std::sync::mpsc::channel();
        let waiter = std::thread::spawn(move || {
            watch.wait().unwrap();
            ended.send(()).unwrap();
        });
        assert_eq!(end.try_recv(), Err(std::sync::mpsc::TryRecvError::Empty));
        drop(lock);
        waiter.join().unwrap();
        end.recv().unwrap();
        assert!(LockWatch::open(&here).unwrap().is_none());
    }

    #[test]
    fn one_who_has_seen_the_end_does_not_look_like_a_holder() {
        let dir = tempfile::tempdir().unwrap();
        drop(PodLock::acquire(dir.path()).unwrap());
        let seen = File::open(dir.path().join(LOCK_FILE)).unwrap();
        set_and_wait(&seen, libc::F_RDLCK).unwrap();
        assert!(!PodLock::is_held(dir.path()).unwrap());
        let folder = dir.path().to_path_buf();
        let remover = std::thread::spawn(move || PodLock::acquire(&folder).unwrap().is_some());
        drop(seen);
        assert!(remover.join().unwrap());
    }
}
