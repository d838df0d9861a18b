//! What overlayfs shows of several trees.

use std::collections::{BTreeMap, HashMap};
use std::ffi::{CStr, CString};
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use image_layer::{Device, Limits};
use rustix::fs::{
    AtFlags, Dir, FileType, Mode, OFlags, Stat, fgetxattr, flistxattr, fstat, open, openat,
    readlinkat, statat,
};
use rustix::io::Errno;

use super::member::{Kind, Member, Sink};
use crate::error::StoreError;

/// Bytes of the names of all attributes of a file, and of one value: the kernel's own limits.
const XATTRS_MAX: usize = 64 << 10;
/// The mark of a directory that shows nothing of those below it.
const OPAQUE: &str = "trusted.overlay.opaque";
pub(super) const FOLDER: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::CLOEXEC)
    .union(OFlags::NOFOLLOW);

/// Hands all that these trees, topmost first, show to a sink.
pub(super) fn walk(trees: &[PathBuf], sink: &mut dyn Sink) -> Result<(), StoreError> {
    let mut roots = Vec::with_capacity(trees.len());
    for tree in trees {
        let root = open(tree, FOLDER, Mode::empty());
        roots.push(root.map_err(|error| StoreError::io("cannot open", tree, error))?);
    }
    let mut walk = Walk {
        sink,
        depth_max: Limits::default().depth,
        linked: HashMap::new(),
    };
    walk.folder(&roots, &mut Vec::new(), 0)
}

struct Walk<'a> {
    sink: &'a mut dyn Sink,
    depth_max: usize,
    /// Files with several names, by device and inode, with their first name.
    linked: HashMap<(u64, u64), Vec<u8>>,
}

impl Walk<'_> {
    /// Hands over a directory, of which these are the parts, topmost first, and what is in it.
    fn folder(
        &mut self,
        parts: &[OwnedFd],
        path: &mut Vec<u8>,
        depth: usize,
    ) -> Result<(), StoreError> {
        let Some(top) = parts.first() else {
            return Ok(());
        };
        if depth > self.depth_max {
            return Err(unfit(path, "its directories are nested too deeply"));
        }
        let stat = fstat(top).map_err(|error| io(path, error))?;
        let xattrs = xattrs(top.as_fd(), path)?;
        self.sink.member(Member {
            path,
            kind: Kind::Folder,
            stat: &stat,
            xattrs: &xattrs,
        })?;
        let length = path.len();
        for (name, first) in names(parts, path)? {
            if length > 0 {
                path.push(b'/');
            }
            path.extend_from_slice(name.to_bytes());
            let done = self.entry(parts.get(first..).unwrap_or_default(), &name, path, depth);
            path.truncate(length);
            done?;
        }
        self.sink.end_of_folder()
    }

    /// Hands over what a name stands for in the first of these directories.
    fn entry(
        &mut self,
        parts: &[OwnedFd],
        name: &CStr,
        path: &mut Vec<u8>,
        depth: usize,
    ) -> Result<(), StoreError> {
        let Some(top) = parts.first() else {
            return Ok(());
        };
        let look = |part: &OwnedFd| statat(part, name, AtFlags::SYMLINK_NOFOLLOW);
        let stat = look(top).map_err(|error| io(path, error))?;
        if is_whiteout(&stat) {
            return Ok(());
        }
        if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
            return self.leaf(top.as_fd(), name, path, &stat);
        }
        let mut inner = Vec::new();
        for part in parts {
            match look(part) {
                Err(Errno::NOENT) => continue,
                // What is no directory hides all below it, and so does a removal.
                Ok(stat) if FileType::from_raw_mode(stat.st_mode) != FileType::Directory => break,
                other => other.map_err(|error| io(path, error))?,
            };
            let folder =
                openat(part, name, FOLDER, Mode::empty()).map_err(|error| io(path, error))?;
            let is_opaque = is_opaque(&folder, path)?;
            inner.push(folder);
            if is_opaque {
                break;
            }
        }
        self.folder(&inner, path, depth + 1)
    }

    fn leaf(
        &mut self,
        folder: BorrowedFd<'_>,
        name: &CStr,
        path: &[u8],
        stat: &Stat,
    ) -> Result<(), StoreError> {
        let none = BTreeMap::new();
        let mut hand_over = |kind: Kind<'_>, stat: &Stat, xattrs: &BTreeMap<String, Vec<u8>>| {
            self.sink.member(Member {
                path,
                kind,
                stat,
                xattrs,
            })
        };
        let kind = FileType::from_raw_mode(stat.st_mode);
        if stat.st_nlink > 1 {
            let inode = (stat.st_dev, stat.st_ino);
            if let Some(first) = self.linked.get(&inode) {
                return hand_over(Kind::HardLink(first), stat, &none);
            }
            self.linked.insert(inode, path.to_vec());
        }
        match kind {
            FileType::RegularFile => {
                // What has become a fifo meanwhile must not make this wait.
                let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
                let file =
                    openat(folder, name, flags, Mode::empty()).map_err(|error| io(path, error))?;
                let own = fstat(&file).map_err(|error| io(path, error))?;
                if FileType::from_raw_mode(own.st_mode) != FileType::RegularFile {
                    return Err(unfit(path, "it was changed while it was read"));
                }
                let xattrs = xattrs(file.as_fd(), path)?;
                hand_over(Kind::File(File::from(file)), &own, &xattrs)
            }
            FileType::Symlink => {
                let target =
                    readlinkat(folder, name, Vec::new()).map_err(|error| io(path, error))?;
                hand_over(Kind::Symlink(target.to_bytes()), stat, &none)
            }
            FileType::Fifo => hand_over(Kind::Fifo, stat, &none),
            FileType::CharacterDevice | FileType::BlockDevice => {
                let device = Device {
                    is_block: kind == FileType::BlockDevice,
                    major: rustix::fs::major(stat.st_rdev),
                    minor: rustix::fs::minor(stat.st_rdev),
                };
                hand_over(Kind::Device(device), stat, &none)
            }
            // A socket is nothing without the process that listens on it.
            _ => Ok(()),
        }
    }
}

/// The names in these directories, sorted, each with the first directory that has it.
fn names(parts: &[OwnedFd], path: &[u8]) -> Result<BTreeMap<CString, usize>, StoreError> {
    let mut names = BTreeMap::new();
    for (number, part) in parts.iter().enumerate() {
        for entry in Dir::read_from(part).map_err(|error| io(path, error))? {
            let entry = entry.map_err(|error| io(path, error))?;
            let name = entry.file_name();
            if !matches!(name.to_bytes(), b"." | b"..") {
                names.entry(name.to_owned()).or_insert(number);
            }
        }
    }
    Ok(names)
}

pub(super) fn is_whiteout(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice && stat.st_rdev == 0
}

pub(super) fn is_opaque(folder: impl AsFd, path: &[u8]) -> Result<bool, StoreError> {
    let mut value = [0; 8];
    match fgetxattr(folder, OPAQUE, &mut value) {
        Ok(length) => Ok(value.get(..length) == Some(b"y")),
        Err(Errno::NODATA | Errno::OPNOTSUPP | Errno::RANGE) => Ok(false),
        Err(error) => Err(io(path, error)),
    }
}

/// The attributes that belong to a file, and not to the layer that it is in.
fn xattrs(file: BorrowedFd<'_>, path: &[u8]) -> Result<BTreeMap<String, Vec<u8>>, StoreError> {
    let mut names = Vec::with_capacity(XATTRS_MAX);
    match flistxattr(file, rustix::buffer::spare_capacity(&mut names)) {
        Ok(0) | Err(Errno::OPNOTSUPP) => return Ok(BTreeMap::new()),
        other => other.map_err(|error| io(path, error))?,
    };
    let mut found = BTreeMap::new();
    let names = names.split(|byte| *byte == 0);
    for name in names.filter_map(|name| std::str::from_utf8(name).ok()) {
        let is_own = name == "security.capability"
            || (name.starts_with("user.") && !name.starts_with("user.overlay."));
        if !is_own {
            continue;
        }
        let mut value = Vec::with_capacity(XATTRS_MAX);
        match fgetxattr(file, name, rustix::buffer::spare_capacity(&mut value)) {
            Err(Errno::NODATA) => {}
            other => {
                other.map_err(|error| io(path, error))?;
                found.insert(name.to_owned(), value);
            }
        }
    }
    Ok(found)
}

fn shown(path: &[u8]) -> String {
    format!("/{}", String::from_utf8_lossy(path))
}

pub(super) fn io(path: &[u8], error: Errno) -> StoreError {
    StoreError::io("cannot read", Path::new(&shown(path)), error)
}

pub(super) fn unfit(path: &[u8], reason: &str) -> StoreError {
    StoreError::InvalidSource {
        origin: shown(path),
        reason: reason.to_owned(),
    }
}
