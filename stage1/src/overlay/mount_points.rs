//! The lowest layer of every app: the directories and files that are mounted on, so that an image that lacks
//! them costs no write to the disk. It is the same for all pods, and never changes: an overlay writes to none of
//! its lower layers.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use pod::PodError;
use rustix::fs::{Access, AtFlags, CWD, Mode, OFlags, accessat, chmodat, mkdirat, openat};
use rustix::io::Errno;

use crate::failure::StartFailure;

/// Its name among what lives until the next boot.
pub const DIRECTORY: &str = "mount-points";
const DIRECTORIES: [&str; 4] = ["dev", "etc", "proc", "sys"];
/// The last of them is made last of all: if it is there, everything is.
const FILES: [&str; 3] = ["etc/hosts", "etc/hostname", "etc/resolv.conf"];

/// Opens that layer, which is below `parent`, and makes it where it is missing. Any number of processes may do so
/// at once, and any of them may be killed.
///
/// # Errors
/// If it can't be made.
pub fn open_or_make(parent: &Path) -> Result<OwnedFd, StartFailure> {
    let path = parent.join(DIRECTORY);
    // A full disk has an exit code of its own.
    let failed = |errno: Errno| StartFailure::from(PodError::io("create", &path)(errno.into()));
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = match openat(CWD, &path, flags, Mode::empty()) {
        Err(Errno::NOENT) => {
            make_directory(CWD, &path).map_err(failed)?;
            openat(CWD, &path, flags, Mode::empty())
        }
        opened => opened,
    }
    .map_err(failed)?;
    let is_whole = FILES
        .last()
        .is_some_and(|last| accessat(&directory, *last, Access::EXISTS, AtFlags::empty()).is_ok());
    if !is_whole {
        fill(&directory).map_err(failed)?;
    }
    Ok(directory)
}

/// Makes what is missing in such a layer.
///
/// # Errors
/// The system's answer.
pub fn fill(directory: &impl AsFd) -> Result<(), Errno> {
    for name in DIRECTORIES {
        make_directory(directory, name)?;
    }
    for name in FILES {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(0o644);
        openat(directory, name, flags, mode)?;
        chmodat(directory, name, mode, AtFlags::empty())?;
    }
    Ok(())
}

/// Apps see its mode, which is not for the caller's file mode mask to narrow.
fn make_directory(parent: impl AsFd, name: impl rustix::path::Arg + Copy) -> Result<(), Errno> {
    let mode = Mode::from_raw_mode(0o755);
    match mkdirat(&parent, name, mode) {
        Ok(()) | Err(Errno::EXIST) => chmodat(&parent, name, mode, AtFlags::empty()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn what_a_killed_process_left_half_made_is_finished() {
        let parent = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(parent.path().join(DIRECTORY).join("etc")).unwrap();
        for _ in 0..2 {
            open_or_make(parent.path()).unwrap();
            for name in DIRECTORIES.iter().chain(&FILES) {
                let metadata = parent.path().join(DIRECTORY).join(name).metadata().unwrap();
                let wanted = if metadata.is_dir() { 0o755 } else { 0o644 };
                assert_eq!(metadata.permissions().mode() & 0o777, wanted, "{name}");
            }
        }
    }
}
