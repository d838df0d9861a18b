//! What a directory takes on the disk, whatever an app has made of it.
//!
//! An app can nest directories until no path names them, and put links in the place of directories while somebody looks. So
//! nothing here goes by path: each directory is opened by its name in the one above, through no link. Some are held open;
//! those below are left by their `..`, which has to be the directory that they were entered from.

use std::ffi::CString;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Instant;

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat, fstat, openat, statat};

/// How many directories are held open at once. What lies deeper is lost if it is moved meanwhile.
const HELD: usize = 64;
/// The unit of a file's `st_blocks`, in bytes.
const BLOCK: u64 = 512;

/// Bytes that what is in a directory takes on the disk, as far as it can be read: what goes meanwhile takes none. Each name of
/// a file takes its part of it.
pub fn disk_usage(path: &Path) -> u64 {
    disk_use(path).bytes
}

/// What is in a directory takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DiskUse {
    /// Bytes on the disk.
    pub bytes: u64,
    /// Names of files and directories.
    pub entries: u64,
}

/// As [`disk_usage`], with how many files and directories there are.
pub fn disk_use(path: &Path) -> DiskUse {
    disk_use_until(path, None).0
}

/// The same as far as it can be counted until then, and whether that is all of it.
pub fn disk_use_until(path: &Path, until: Option<Instant>) -> (DiskUse, bool) {
    let mut usage = Usage {
        until,
        ..Usage::default()
    };
    if let Ok(top) = openat(CWD, path, DIRECTORY, Mode::empty()) {
        usage.enter(top);
        usage.walk();
    }
    let counted = DiskUse {
        bytes: usage.bytes,
        entries: usage.entries,
    };
    (counted, !usage.is_late)
}

/// A directory that has been entered.
struct Entered {
    /// None of one that is not held open while others below it are looked into.
    directory: Option<OwnedFd>,
    /// Its device and inode.
    identity: (u64, u64),
    /// Directories in it that have not been looked into.
    left: Vec<CString>,
}

#[derive(Default)]
struct Usage {
    bytes: u64,
    entries: u64,
    until: Option<Instant>,
    is_late: bool,
    entered: Vec<Entered>,
}

impl Usage {
    /// Looks into all that is left.
    fn walk(&mut self) {
        while let Some(last) = self.entered.last_mut() {
            if self.is_late {
                return;
            }
            let Some(here) = &last.directory else {
                // What is left of it was moved away with the directory that was looked into last.
                self.entered.pop();
                continue;
            };
            if let Some(name) = last.left.pop() {
                // Not a directory any more, or not for us to read, if it can't be opened.
                if let Ok(below) = openat(here, &name, DIRECTORY, Mode::empty()) {
                    if self.entered.len() > HELD {
                        self.close_last();
                    }
                    self.enter(below);
                }
                continue;
            }
            self.leave();
        }
    }

    fn close_last(&mut self) {
        if let Some(last) = self.entered.last_mut() {
            last.directory = None;
        }
    }

    fn leave(&mut self) {
        let done = self.entered.pop().and_then(|done| done.directory);
        if let (Some(done), Some(above)) = (done, self.entered.last_mut())
            && above.directory.is_none()
        {
            let up = openat(&done, c"..", DIRECTORY, Mode::empty()).ok();
            let is_it =
                |up: &OwnedFd| fstat(up).is_ok_and(|stat| identity(&stat) == above.identity);
            above.directory = up.filter(is_it);
        }
    }

    fn enter(&mut self, directory: OwnedFd) {
        let mut left = Vec::new();
        for entry in Dir::read_from(&directory).into_iter().flatten() {
            let Ok(entry) = entry else { break };
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            let Ok(stat) = statat(&directory, name, AtFlags::SYMLINK_NOFOLLOW) else {
                continue;
            };
            let is_directory = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
            let names = match is_directory {
                true => 1,
                false => stat.st_nlink.max(1),
            };
            let blocks = u64::try_from(stat.st_blocks).unwrap_or_default();
            let bytes = blocks.saturating_mul(BLOCK) / names;
            self.bytes = self.bytes.saturating_add(bytes);
            // A look at the clock is nothing beside one at a file.
            self.is_late = self.until.is_some_and(|until| Instant::now() >= until);
            if self.is_late {
                break;
            }
            self.entries = self.entries.saturating_add(1);
            if is_directory {
                left.push(name.to_owned());
            }
        }
        let identity = fstat(&directory).map_or((0, 0), |stat| identity(&stat));
        self.entered.push(Entered {
            directory: Some(directory),
            identity,
            left,
        });
    }
}

const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

fn identity(stat: &Stat) -> (u64, u64) {
    (stat.st_dev, stat.st_ino)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, symlink};

    use rustix::fs::mkdirat;

    use super::*;

    const SIZE: usize = 1 << 20;

    #[test]
    fn files_are_counted_as_far_as_there_is_time() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("below")).unwrap();
        std::fs::write(dir.path().join("below/file"), "text").unwrap();
        let (all, is_all) = disk_use_until(dir.path(), None);
        assert_eq!((all.entries, is_all), (2, true));
        assert_eq!(all, disk_use(dir.path()));
        let (some, is_all) = disk_use_until(dir.path(), Some(Instant::now()));
        assert!(some.entries < 2 && !is_all);
    }

    #[test]
    fn files_directories_and_names_take_their_part() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(disk_usage(dir.path()), 0);
        assert_eq!(disk_usage(&dir.path().join("missing")), 0);
        let below = dir.path().join("below");
        fs::create_dir(&below).unwrap();
        fs::write(below.join("file"), vec![1; SIZE]).unwrap();
        // Half of it, and half of it again.
        fs::hard_link(below.join("file"), dir.path().join("other")).unwrap();
        let sparse = fs::File::create(dir.path().join("sparse")).unwrap();
        sparse.set_len(1 << 40).unwrap();
        let blocks = |path: &Path| fs::symlink_metadata(path).unwrap().blocks() * BLOCK;
        let expected = blocks(&below) + blocks(&below.join("file"));
        assert_eq!(disk_usage(dir.path()), expected);
        assert_eq!(disk_use(dir.path()).entries, 4);
    }

    #[test]
    fn nothing_is_counted_behind_a_link() {
        let (dir, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(outside.path().join("file"), vec![1; SIZE]).unwrap();
        symlink(outside.path(), dir.path().join("link")).unwrap();
        assert!(disk_usage(dir.path()) < SIZE as u64);
        // One that was a directory when its name was read.
        let open = |path: &Path| openat(CWD, path, DIRECTORY, Mode::empty()).unwrap();
        let mut usage = Usage::default();
        usage.enter(open(dir.path()));
        usage.entered[0].left.push(c"link".to_owned());
        usage.walk();
        assert!(usage.bytes < SIZE as u64);
        // One that has been moved out of the one from which it was entered, which is not held open.
        usage.enter(open(dir.path()));
        usage.close_last();
        usage.enter(open(outside.path()));
        usage.leave();
        assert!(usage.entered[0].directory.is_none());
        assert_eq!(disk_usage(&dir.path().join("link")), 0);
    }

    #[test]
    fn directories_that_no_path_names_are_counted() {
        let dir = tempfile::tempdir().unwrap();
        let mut here = openat(CWD, dir.path(), DIRECTORY, Mode::empty()).unwrap();
        let name = "d".repeat(200);
        for _ in 0..20 * HELD {
            mkdirat(&here, name.as_str(), Mode::RWXU).unwrap();
            here = openat(&here, name.as_str(), DIRECTORY, Mode::empty()).unwrap();
        }
        let flags = OFlags::CREATE | OFlags::WRONLY;
        let file = openat(&here, "file", flags, Mode::RUSR).unwrap();
        rustix::io::write(&file, &vec![1; SIZE]).unwrap();
        assert!(disk_usage(dir.path()) >= SIZE as u64);
        crate::removal::empty(dir.path()).unwrap();
    }
}
