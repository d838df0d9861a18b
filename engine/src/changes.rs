//! Word of changes in directories, where the kernel has any left to give.
//!
//! A user has so many watches and no more, and whoever is the same user, root of an app too, can use them up. Then who
//! waits for a change looks from time to time.

use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

/// Between two looks where nobody gives word.
const PAUSE: Duration = Duration::from_millis(200);

/// What tells of changes.
#[derive(Debug)]
pub(crate) struct Changes(Option<Inotify>);

impl Changes {
    /// Of nothing so far.
    ///
    /// # Errors
    /// What inotify_init(2) answers, but for one that none are left.
    pub(crate) fn new() -> Result<Self, Errno> {
        match Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK) {
            Ok(inotify) => Ok(Self(Some(inotify))),
            Err(Errno::EMFILE) => Ok(Self(None)),
            Err(errno) => Err(errno),
        }
    }

    /// Changes in this directory are told of, too; false if it is not there.
    ///
    /// # Errors
    /// What inotify_add_watch(2) answers, but for one that none are left.
    pub(crate) fn watch(&mut self, directory: &Path, events: AddWatchFlags) -> Result<bool, Errno> {
        let Some(inotify) = &self.0 else {
            return Ok(directory.is_dir());
        };
        match inotify.add_watch(directory, events) {
            Ok(_) => Ok(true),
            Err(Errno::ENOENT | Errno::ENOTDIR) => Ok(false),
            Err(Errno::ENOSPC) => {
                self.0 = None;
                Ok(directory.is_dir())
            }
            Err(errno) => Err(errno),
        }
    }

    /// What becomes readable by a change, if anything does.
    pub(crate) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.0.as_ref().map(AsFd::as_fd)
    }

    /// How long to wait at most.
    pub(crate) fn pause(&self) -> Option<Duration> {
        match &self.0 {
            Some(_) => None,
            None => Some(PAUSE),
        }
    }

    /// Forgets what was told by now.
    pub(crate) fn forget(&self) {
        if let Some(inotify) = &self.0 {
            while inotify.read_events().is_ok_and(|all| !all.is_empty()) {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_nobody_gives_word_one_looks_from_time_to_time() {
        let dir = tempfile::tempdir().unwrap();
        let events = AddWatchFlags::IN_CREATE;
        for mut changes in [Changes::new().unwrap(), Changes(None)] {
            assert!(changes.watch(dir.path(), events).unwrap());
            assert!(!changes.watch(&dir.path().join("missing"), events).unwrap());
            assert_eq!(changes.descriptor().is_none(), changes.pause().is_some());
            changes.forget();
        }
    }
}
