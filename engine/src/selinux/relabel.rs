//! Giving labels to files that are there: what a volume holds.
//!
//! Whoever writes to the volume meanwhile may be hostile: each file is opened below its directory, never through a link,
//! and labelled by what was opened. What is mounted below it keeps its labels.

use std::ffi::CStr;
use std::fs;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use pod::manifest::{Mount, MountSource, Relabel};
use pod::named_volumes::{data_of, volumes_dir};
use pod::selinux::Context;
use rustix::fs::{
    CWD, Dir, FileType, Mode, OFlags, ResolveFlags, XattrFlags, fstat, getxattr, openat, openat2,
    setxattr, stat,
};
use rustix::io::Errno;

use super::system_paths::{DIRECTORIES, homes, is_of_system};
use crate::error::{Error, SelinuxError};

/// The extended attribute that is a file's label.
const ATTRIBUTE: &str = "security.selinux";
/// Directories below each other, each of which takes a descriptor.
const DEPTH_MAX: usize = 400;
/// Who adds files all the time would otherwise keep it from its end.
const FILES_MAX: u64 = 10_000_000;
/// A file itself, on the filesystem of its directory.
const ITSELF: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
const BELOW: ResolveFlags = ResolveFlags::BENEATH
    .union(ResolveFlags::NO_SYMLINKS)
    .union(ResolveFlags::NO_XDEV);

/// Labels what is mounted in an app, as far as that is asked. `label` is the app's own, of its files; the volumes that
/// outlive pods are in the directory `data`.
///
/// # Errors
/// [`SelinuxError`], of the first that can't be labelled.
pub(crate) fn relabel_mounts(
    mounts: &[Mount],
    label: Option<&Context>,
    data: &Path,
) -> Result<(), Error> {
    for mount in mounts {
        let (Some(relabel), Some(label)) = (mount.relabel, label) else {
            continue;
        };
        let path = match &mount.source {
            MountSource::Host { path } => {
                keep_store(path, data)?;
                path.clone()
            }
            MountSource::Named { name, .. } => volumes_dir(data).join(data_of(name)),
            // Those have the labels of who mounts them.
            MountSource::Volume { .. }
            | MountSource::Image { .. }
            | MountSource::Notify
            | MountSource::Credentials { .. }
            | MountSource::Tmpfs { .. } => {
                continue;
            }
        };
        let label = label.clone();
        let label = match relabel {
            Relabel::Shared => label.in_no_categories(),
            Relabel::Private => label,
        };
        self::relabel(&path, &label)?;
    }
    Ok(())
}

/// Refuses a path that leads to the data directory, into it or around it: layers that were labelled again are not what their
/// seals say.
fn keep_store(path: &Path, data: &Path) -> Result<(), Error> {
    // Where there is none yet, nothing can be labelled; of what can't be found the walk tells.
    let (Ok(data), Ok(found)) = (fs::canonicalize(data), fs::canonicalize(path)) else {
        return Ok(());
    };
    match found.starts_with(&data) || data.starts_with(&found) {
        true => Err(SelinuxError::SystemDirectory(path.to_path_buf()).into()),
        false => Ok(()),
    }
}

/// Labels a directory, and nothing that is in it.
///
/// # Errors
/// [`SelinuxError::Unlabelled`].
pub(super) fn relabel_one(directory: &Path, label: &Context) -> Result<(), Error> {
    let opened = openat(CWD, directory, ITSELF, Mode::empty());
    let labelled = opened.and_then(|directory| give(&directory, &label.to_string()));
    Ok(labelled.map_err(|errno| SelinuxError::Unlabelled {
        path: directory.to_path_buf(),
        label: Box::new(label.clone()),
        source: errno.into(),
    })?)
}

/// Labels a file, or a directory with all that is in it.
///
/// # Errors
/// [`SelinuxError`].
pub(crate) fn relabel(path: &Path, label: &Context) -> Result<(), Error> {
    let walk = Walk {
        label: label.to_string(),
        files: 0,
    };
    let labelled = walk.from(path).map_err(|failure| match failure {
        Failure::Refused => SelinuxError::SystemDirectory(path.to_path_buf()),
        Failure::TooDeep => SelinuxError::TooDeep(path.to_path_buf(), DEPTH_MAX),
        Failure::TooMany => SelinuxError::TooMany(path.to_path_buf(), FILES_MAX),
        Failure::Answer(errno) => SelinuxError::Unlabelled {
            path: path.to_path_buf(),
            label: Box::new(label.clone()),
            source: errno.into(),
        },
    });
    Ok(labelled?)
}

#[derive(Debug, PartialEq, Eq)]
enum Failure {
    Refused,
    TooDeep,
    TooMany,
    Answer(Errno),
}

impl From<Errno> for Failure {
    fn from(errno: Errno) -> Self {
        Self::Answer(errno)
    }
}

struct Walk {
    label: String,
    files: u64,
}

impl Walk {
    fn from(mut self, path: &Path) -> Result<(), Failure> {
        let source = openat(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
        if belongs_to_system(&source)? {
            return Err(Failure::Refused);
        }
        self.one(source, 0)
    }

    /// Labels what was opened, and all below it.
    fn one(&mut self, file: OwnedFd, depth: usize) -> Result<(), Failure> {
        self.files += 1;
        if self.files > FILES_MAX {
            return Err(Failure::TooMany);
        }
        give(&file, &self.label)?;
        let kind = FileType::from_raw_mode(fstat(&file)?.st_mode);
        if kind != FileType::Directory {
            return Ok(());
        }
        if depth == DEPTH_MAX {
            return Err(Failure::TooDeep);
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = openat(&file, ".", flags, Mode::empty())?;
        drop(file);
        let mut entries = Dir::read_from(&directory)?;
        while let Some(entry) = entries.read() {
            let entry = entry?;
            if is_itself(entry.file_name()) {
                continue;
            }
            match openat2(&directory, entry.file_name(), ITSELF, Mode::empty(), BELOW) {
                // Something is mounted there; or it has gone meanwhile.
                Err(Errno::XDEV | Errno::NOENT) => {}
                other => self.one(other?, depth + 1)?,
            }
        }
        Ok(())
    }
}

fn is_itself(name: &CStr) -> bool {
    matches!(name.to_bytes(), b"." | b"..")
}

/// The path by which a call that takes no descriptor of that kind finds what was opened, and nothing else.
fn path_of(file: &OwnedFd) -> String {
    format!("/proc/self/fd/{}", file.as_raw_fd())
}

/// Labels one file, unless it has that label: a change would be seen in its times.
fn give(file: &OwnedFd, label: &str) -> Result<(), Errno> {
    let path = path_of(file);
    let mut present = [0; 1024];
    let length = getxattr(&path, ATTRIBUTE, &mut present).unwrap_or(0);
    let present: &[u8] = present.get(..length).unwrap_or_default();
    if present.strip_suffix(b"\0").unwrap_or(present) == label.as_bytes() {
        return Ok(());
    }
    setxattr(&path, ATTRIBUTE, label.as_bytes(), XattrFlags::empty())
}

/// Whether that is a directory which the system needs, however it is called here.
fn belongs_to_system(file: &OwnedFd) -> Result<bool, Errno> {
    let own = fstat(file)?;
    let is_own = |directory: &&str| {
        stat(*directory).is_ok_and(|other| (other.st_dev, other.st_ino) == (own.st_dev, own.st_ino))
    };
    if DIRECTORIES.iter().any(is_own) {
        return Ok(true);
    }
    let path: PathBuf = fs::read_link(path_of(file))
        .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    Ok(is_of_system(&path, &homes(&passwd)))
}

#[cfg(test)]
mod tests;
