//! Directories for parts of volumes that are to be mounted, made where nothing is there.
//!
//! Whoever writes to the volume meanwhile may be hostile: nothing is made through a link.

use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{
    CWD, Gid, Mode, OFlags, RawMode, ResolveFlags, Stat, fchmod, fchown, fstat, mkdirat, openat,
    openat2,
};
use rustix::io::Errno;

use crate::error::Error;

const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::CLOEXEC);

/// Makes the directories of a path below `root`, as far as they are missing, with the group and the permissions of `root`.
/// What is there, also behind a link, is left as it is: the monitor finds out whether it can be mounted.
///
/// # Errors
/// If one can't be made.
pub(super) fn make_below(root: &Path, path: &str) -> Result<(), Error> {
    make(root, path).map_err(|errno| Error::io("create", root.join(path))(errno.into()))
}

fn make(root: &Path, path: &str) -> Result<(), Errno> {
    let root = openat(CWD, root, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    let within = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    match openat2(&root, path, flags, Mode::empty(), within) {
        Err(Errno::NOENT) => {}
        // It is there, or is nothing that could be made.
        _ => return Ok(()),
    }
    let like = fstat(&root)?;
    let mut above = openat(&root, ".", DIRECTORY, Mode::empty())?;
    for part in path.split('/').filter(|part| !matches!(*part, "" | ".")) {
        above = match one(&above, part, &like) {
            // A link on the way may lead to where it is missing: nothing is made there.
            Err(Errno::LOOP | Errno::NOTDIR) => return Ok(()),
            made => made?,
        };
    }
    Ok(())
}

fn one(above: &OwnedFd, part: &str, like: &Stat) -> Result<OwnedFd, Errno> {
    let open = || openat(above, part, DIRECTORY | OFlags::NOFOLLOW, Mode::empty());
    match open() {
        Err(Errno::NOENT) => {}
        found => return found,
    }
    match mkdirat(above, part, Mode::from_raw_mode(0o700)) {
        // Somebody else was faster.
        Err(Errno::EXIST) => return open(),
        made => made?,
    }
    let made = open()?;
    fchown(&made, None, Some(Gid::from_raw(like.st_gid)))?;
    let mode: RawMode = like.st_mode & 0o7777;
    fchmod(&made, Mode::from_raw_mode(mode))?;
    Ok(made)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, symlink};

    use super::*;

    #[test]
    fn what_is_missing_is_made_like_the_volume() {
        let volume = tempfile::tempdir().unwrap();
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o2777);
        fs::set_permissions(volume.path(), permissions).unwrap();
        make_below(volume.path(), "a//b/./c").unwrap();
        make_below(volume.path(), "a/b").unwrap();
        let made = fs::metadata(volume.path().join("a/b/c")).unwrap();
        assert_eq!(made.mode() & 0o7777, 0o2777);
    }

    #[test]
    fn nothing_is_made_through_a_link() {
        let (volume, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        symlink(outside.path(), volume.path().join("out")).unwrap();
        symlink("gone", volume.path().join("in")).unwrap();
        for path in ["out/x", "in/x", "in", "../x"] {
            let _ = make_below(volume.path(), path);
        }
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
        assert!(!volume.path().join("gone").exists());
        assert!(!volume.path().with_file_name("x").exists());
    }
}
