//! A root directory, packed into a layer. Everything is looked up by single names within directories that
//! are open already, through no symbolic link: what changes meanwhile can't lead elsewhere.

use std::collections::{BTreeMap, HashMap};
use std::ffi::{CStr, CString, OsStr};
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use image_layer::{Device, LayerLimit, Limits, Time};
use rustix::fs::{
    AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, Stat, fstat, open, openat2, readlinkat,
    statat,
};
use rustix::io::Errno;

use super::layer_file::{LayerFile, LayerWriter};
use crate::error::StoreError;
use crate::file_content::{Content, Part};
use crate::leased::open_leased;
use crate::tar_writer::{Entry, TarWriter, What};
use crate::xattrs;

const RESOLVE: ResolveFlags = ResolveFlags::BENEATH
    .union(ResolveFlags::NO_SYMLINKS)
    .union(ResolveFlags::NO_MAGICLINKS)
    .union(ResolveFlags::NO_XDEV);

/// Packs the directory into `file`, members sorted by name. Gives what was left out, too.
pub(super) fn pack(
    folder: &Path,
    file: &Path,
    limits: &Limits,
) -> Result<(LayerFile, Vec<String>), StoreError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = open(folder, flags, Mode::empty())
        .map_err(|error| StoreError::io("cannot open", folder, error))?;
    let mut packer = Packer {
        folder,
        layer: LayerWriter::tar(file)?,
        limits,
        linked: HashMap::new(),
        entries: 0,
        bytes: 0,
        sockets: 0,
        mounts: Vec::new(),
    };
    let stat = fstat(&root).map_err(|error| packer.io(b"", error))?;
    packer.begin(b"", What::Folder, &stat, Some(root.as_fd()))?;
    packer.folder(&root, &mut Vec::new(), 0)?;
    let notes = packer.notes();
    Ok((packer.layer.finish()?.finish()?, notes))
}

struct Packer<'a> {
    folder: &'a Path,
    layer: TarWriter<LayerWriter>,
    limits: &'a Limits,
    /// Files with several names, by device and inode, with their first name.
    linked: HashMap<(u64, u64), Vec<u8>>,
    entries: u64,
    bytes: u64,
    sockets: u64,
    mounts: Vec<String>,
}

impl Packer<'_> {
    /// Packs what is in an open directory, whose path is `path`.
    fn folder(
        &mut self,
        folder: &OwnedFd,
        path: &mut Vec<u8>,
        depth: usize,
    ) -> Result<(), StoreError> {
        if depth >= self.limits.depth {
            return Err(self.over(LayerLimit::Depth, path));
        }
        let length = path.len();
        for name in self.names(folder, path)? {
            if length > 0 {
                path.push(b'/');
            }
            path.extend_from_slice(name.to_bytes());
            let packed = self.member(folder.as_fd(), &name, path, depth);
            path.truncate(length);
            packed?;
        }
        Ok(())
    }

    fn names(&mut self, folder: &OwnedFd, path: &[u8]) -> Result<Vec<CString>, StoreError> {
        let mut names = Vec::new();
        for entry in Dir::read_from(folder).map_err(|error| self.io(path, error))? {
            let entry = entry.map_err(|error| self.io(path, error))?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            self.entries += 1;
            if self.entries > self.limits.entries {
                return Err(self.over(LayerLimit::Entries, path));
            }
            names.push(name.to_owned());
        }
        names.sort_unstable();
        Ok(names)
    }

    fn member(
        &mut self,
        folder: BorrowedFd<'_>,
        name: &CStr,
        path: &mut Vec<u8>,
        depth: usize,
    ) -> Result<(), StoreError> {
        if name.to_bytes().starts_with(b".wh.") {
            let path = shown(self.folder, path).display().to_string();
            return Err(StoreError::WhiteoutName { path });
        }
        if path.len() > self.limits.path {
            return Err(self.over(LayerLimit::PathLength, path));
        }
        let stat = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|error| self.io(path, error))?;
        let kind = FileType::from_raw_mode(stat.st_mode);
        if kind != FileType::Directory && stat.st_nlink > 1 {
            let inode = (stat.st_dev, stat.st_ino);
            if let Some(first) = self.linked.get(&inode).cloned() {
                return self.begin(path, What::HardLink(&first), &stat, None);
            }
            self.linked.insert(inode, path.clone());
        }
        match kind {
            FileType::Directory => self.sub_folder(folder, name, path, depth, &stat),
            FileType::RegularFile => self.file(folder, name, path, &stat),
            FileType::Symlink => {
                let target =
                    readlinkat(folder, name, Vec::new()).map_err(|error| self.io(path, error))?;
                self.begin(path, What::Symlink(target.to_bytes()), &stat, None)
            }
            FileType::Fifo => self.begin(path, What::Fifo, &stat, None),
            FileType::CharacterDevice | FileType::BlockDevice => {
                let Some(device) = Device::of(&stat) else {
                    return Ok(());
                };
                if device.is_whiteout() {
                    let reason = "a device 0:0 marks the removal of a file in layers of overlayfs";
                    return Err(self.refused(path, reason));
                }
                self.begin(path, What::Device(device), &stat, None)
            }
            // A socket is nothing without the process that listens on it, and tar has none.
            _ => {
                self.sockets += 1;
                Ok(())
            }
        }
    }

    fn sub_folder(
        &mut self,
        folder: BorrowedFd<'_>,
        name: &CStr,
        path: &mut Vec<u8>,
        depth: usize,
        stat: &Stat,
    ) -> Result<(), StoreError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let inner = match openat2(folder, name, flags, Mode::empty(), RESOLVE) {
            // Another file system is mounted there: /proc, or the host's own.
            Err(Errno::XDEV) => {
                self.mounts.push(String::from_utf8_lossy(path).into_owned());
                return self.begin(path, What::Folder, stat, None);
            }
            other => other.map_err(|error| self.io(path, error))?,
        };
        let own = fstat(&inner).map_err(|error| self.io(path, error))?;
        self.begin(path, What::Folder, &own, Some(inner.as_fd()))?;
        self.folder(&inner, path, depth + 1)
    }

    fn file(
        &mut self,
        folder: BorrowedFd<'_>,
        name: &CStr,
        path: &[u8],
        stat: &Stat,
    ) -> Result<(), StoreError> {
        // What has become a fifo meanwhile must not make this wait.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let opened = open_leased(name, |name| {
            openat2(folder, name, flags, Mode::empty(), RESOLVE)
        });
        let file = File::from(opened.map_err(|error| self.io(path, error))?);
        let own = fstat(&file).map_err(|error| self.io(path, error))?;
        let same = (own.st_dev, own.st_ino) == (stat.st_dev, stat.st_ino);
        if !same || FileType::from_raw_mode(own.st_mode) != FileType::RegularFile {
            return Err(self.refused(path, CHANGED));
        }
        let size = u64::try_from(own.st_size).unwrap_or_default();
        self.bytes = self.bytes.saturating_add(size);
        if size > self.limits.file {
            return Err(self.over(LayerLimit::FileSize, path));
        }
        if self.bytes > self.limits.expanded {
            return Err(self.over(LayerLimit::Size, path));
        }
        self.begin(path, What::File { size }, &own, Some(file.as_fd()))?;
        let mut content = Content::of(&file, size);
        loop {
            let part = content.next();
            match part.map_err(|error| io(self.folder, path, error))? {
                Some(Part::Data(bytes)) => self.layer.data(bytes)?,
                Some(Part::Hole(length)) => self.layer.zeros(length)?,
                None => break,
            }
        }
        if content.missing() > 0 {
            return Err(self.refused(path, CHANGED));
        }
        self.layer.pad(size)
    }

    fn begin(
        &mut self,
        path: &[u8],
        what: What<'_>,
        stat: &Stat,
        open: Option<BorrowedFd<'_>>,
    ) -> Result<(), StoreError> {
        let xattrs = match open {
            Some(open) => xattrs::own(open).map_err(|error| self.io(path, error))?,
            None => BTreeMap::new(),
        };
        self.layer.begin(&Entry {
            path,
            what,
            mode: stat.st_mode & 0o7777,
            uid: stat.st_uid,
            gid: stat.st_gid,
            mtime: Time::of(stat),
            xattrs: &xattrs,
        })
    }

    fn notes(&self) -> Vec<String> {
        const SHOWN: usize = 8;
        let place = self.folder.display();
        let mounts = self.mounts.iter().take(SHOWN);
        let mut notes: Vec<String> = mounts
            .map(|path| format!("{place}: {path} is a mount point: its content is left out"))
            .collect();
        if self.sockets > 0 {
            notes.push(format!("{place}: {} sockets are left out", self.sockets));
        }
        notes
    }

    fn io(&self, path: &[u8], error: impl Into<std::io::Error>) -> StoreError {
        io(self.folder, path, error)
    }

    fn refused(&self, path: &[u8], reason: &str) -> StoreError {
        StoreError::InvalidSource {
            origin: shown(self.folder, path).display().to_string(),
            reason: reason.to_owned(),
        }
    }

    fn over(&self, limit: LayerLimit, path: &[u8]) -> StoreError {
        let path = shown(self.folder, path).display().to_string();
        self.limits.exceeded(limit, path).into()
    }
}

fn shown(folder: &Path, path: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    folder.join(OsStr::from_bytes(path))
}

fn io(folder: &Path, path: &[u8], error: impl Into<std::io::Error>) -> StoreError {
    StoreError::io("cannot read", &shown(folder, path), error)
}

const CHANGED: &str = "it was changed while it was read";
