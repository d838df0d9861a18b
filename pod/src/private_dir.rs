//! Directories that are root's alone.

use std::fs::{DirBuilder, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use rustix::fs::{IFlags, ioctl_getflags, ioctl_setflags};

use crate::error::PodError;

/// Makes a directory, with those above it, if it is missing.
///
/// # Errors
/// [`PodError::Io`] if it can't be made.
pub(crate) fn make(path: &Path) -> Result<(), PodError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(PodError::io("create", path))
}

/// As [`make`]. Each directory that is made in it gets, with all that it holds, its place in another part of the disk, where
/// the filesystem can do that.
///
/// ext4 passes over inodes that were freed within the last minutes, one by one (`recently_deleted` in its `ialloc.c`): where
/// short pods come and go, that would soon take longer than all else of a start.
pub(crate) fn make_spread(path: &Path) -> Result<(), PodError> {
    make(path)?;
    let spread = File::open(path).and_then(|directory| {
        let flags = ioctl_getflags(&directory)?;
        Ok(ioctl_setflags(&directory, flags.union(IFlags::TOPDIR))?)
    });
    // A hint, which other filesystems don't take.
    drop(spread);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_in_it_is_spread_over_the_disk_where_the_filesystem_can() {
        let folder = tempfile::tempdir().unwrap();
        let [spread, plain] = ["a/spread", "a/plain"].map(|name| folder.path().join(name));
        make_spread(&spread).unwrap();
        make(&plain).unwrap();
        let flags = |path: &Path| ioctl_getflags(File::open(path).unwrap()).ok();
        let can = flags(&plain).is_some_and(|flags| {
            ioctl_setflags(File::open(&plain).unwrap(), flags.union(IFlags::TOPDIR)).is_ok()
        });
        // What the test has just set is what is to be found.
        assert_eq!(flags(&spread), flags(&plain), "can: {can}");
    }
}
