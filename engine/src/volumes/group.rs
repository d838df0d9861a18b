//! Giving the files of a volume to a group, as Kubernetes' `fsGroup` does.
//!
//! Whoever writes to the volume meanwhile may be hostile: each file is opened below its directory, never through a link,
//! and changed by what was opened. What is mounted below it stays as it is.

use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Gid, Mode, OFlags, ResolveFlags, chmod, chownat, fstat, openat,
    openat2,
};
use rustix::io::Errno;

use crate::error::Error;
use crate::pods::spec::VolumeGroup;

/// Directories below each other, each of which takes a descriptor.
const DEPTH_MAX: usize = 400;
/// Who adds files all the time would otherwise keep it from its end.
const FILES_MAX: u64 = 10_000_000;
const ITSELF: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
const BELOW: ResolveFlags = ResolveFlags::BENEATH
    .union(ResolveFlags::NO_SYMLINKS)
    .union(ResolveFlags::NO_XDEV);
/// What the group may do, and that new files in a directory are the group's.
const FILE: u32 = 0o660;
const DIRECTORY: u32 = 0o2770;

/// Gives a directory with all that is in it to a group.
///
/// # Errors
/// If something can't be changed, or the directory goes too deep.
pub(super) fn give_group(directory: &Path, group: &VolumeGroup) -> Result<(), Error> {
    let given = from(directory, group);
    given.map_err(|errno| Error::io("change the group of", directory)(errno.into()))
}

fn from(directory: &Path, group: &VolumeGroup) -> Result<(), Errno> {
    let root = openat(CWD, directory, ITSELF, Mode::empty())?;
    let found = fstat(&root)?;
    let is_done = found.st_gid == group.gid && found.st_mode & DIRECTORY == DIRECTORY;
    if group.unless_root_has_it && is_done {
        return Ok(());
    }
    let mut walk = Walk {
        gid: Gid::from_raw(group.gid),
        files: 0,
    };
    walk.below(&root, 0)?;
    // Last, since by it one knows that all is done.
    walk.give(&root).map(drop)
}

struct Walk {
    gid: Gid,
    files: u64,
}

impl Walk {
    fn below(&mut self, directory: &OwnedFd, depth: usize) -> Result<(), Errno> {
        if depth == DEPTH_MAX {
            return Err(Errno::NAMETOOLONG);
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = openat(directory, ".", flags, Mode::empty())?;
        let mut entries = Dir::read_from(&directory)?;
        while let Some(entry) = entries.read() {
            let entry = entry?;
            if matches!(entry.file_name().to_bytes(), b"." | b"..") {
                continue;
            }
            let file = openat2(&directory, entry.file_name(), ITSELF, Mode::empty(), BELOW);
            let file = match file {
                // Something is mounted there; or it has gone meanwhile.
                Err(Errno::XDEV | Errno::NOENT) => continue,
                file => file?,
            };
            self.files += 1;
            if self.files > FILES_MAX {
                return Err(Errno::FBIG);
            }
            if self.give(&file)? == FileType::Directory {
                self.below(&file, depth + 1)?;
            }
        }
        Ok(())
    }

    /// Gives one file, and says what it is.
    fn give(&self, file: &OwnedFd) -> Result<FileType, Errno> {
        let found = fstat(file)?;
        let kind = FileType::from_raw_mode(found.st_mode);
        if found.st_gid != self.gid.as_raw() {
            chownat(file, c"", None, Some(self.gid), AtFlags::EMPTY_PATH)?;
        }
        let more = match kind {
            FileType::Directory => DIRECTORY,
            FileType::RegularFile => FILE,
            _ => return Ok(kind),
        };
        // A change of the group takes bits away.
        let now = fstat(file)?.st_mode & 0o7777;
        let wanted = (found.st_mode & 0o7777 | more) & !0o4000;
        if now != wanted {
            // The path by which a call that takes no such descriptor finds what was opened, and nothing else.
            let path = format!("/proc/self/fd/{}", file.as_raw_fd());
            chmod(path, Mode::from_raw_mode(wanted))?;
        }
        Ok(kind)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    use super::*;

    /// Needs root, as all tests that give files away.
    #[test]
    fn all_files_are_the_group_s_and_links_lead_nowhere() {
        let (volume, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let other = outside.path().join("file");
        fs::write(&other, "x").unwrap();
        fs::create_dir_all(volume.path().join("a/b")).unwrap();
        let file = volume.path().join("a/file");
        fs::write(&file, "x").unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
        symlink(&other, volume.path().join("a/link")).unwrap();
        symlink(outside.path(), volume.path().join("a/b/link")).unwrap();
        let group = VolumeGroup {
            gid: 4242,
            unless_root_has_it: true,
        };
        give_group(volume.path(), &group).unwrap();
        let of = |path: &Path| {
            let found = fs::metadata(path).unwrap();
            (found.gid(), found.mode() & 0o7777)
        };
        assert_eq!(of(&file), (4242, 0o660));
        assert_eq!(of(&volume.path().join("a/b")), (4242, 0o2775));
        assert_eq!(of(volume.path()).0, 4242);
        assert_ne!(of(&other).0, 4242);
        assert_ne!(of(outside.path()).0, 4242);
        // What is the group's already is not looked at again.
        fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
        give_group(volume.path(), &group).unwrap();
        assert_eq!(of(&file), (4242, 0o600));
        let always = VolumeGroup {
            unless_root_has_it: false,
            ..group
        };
        give_group(volume.path(), &always).unwrap();
        assert_eq!(of(&file), (4242, 0o660));
    }
}
