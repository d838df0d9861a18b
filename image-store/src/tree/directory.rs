//! A tree as a directory.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Seek, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, Stat, Timespec, Timestamps, UTIME_OMIT, Uid, XattrFlags,
    chmodat, chownat, fchmod, fsetxattr, futimens, linkat, makedev, mkdirat, mknodat, open, openat,
    symlinkat, utimensat,
};
use rustix::io::Errno;

use super::member::{Kind, Member, Sink};
use crate::error::StoreError;
use crate::file_content::{Content, Part};
use crate::interrupt::Interrupt;
use crate::xattrs::CAPABILITY;

const FOLDER: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::CLOEXEC)
    .union(OFlags::NOFOLLOW);

/// A directory that members are written into.
pub(super) struct Directory {
    dest: PathBuf,
    root: OwnedFd,
    /// The directories that are not complete, with what they are to be like: what is in them changes their times.
    open: Vec<(OwnedFd, Stat)>,
    /// Whether something is in it by which others may do more than they may otherwise: a file that runs as its
    /// owner or with capabilities, or a device.
    has_powers: bool,
    /// Whether nobody else may enter the directory that it is in.
    is_guarded: bool,
    closed: Option<u32>,
    interrupt: Interrupt,
}

impl Directory {
    /// A new directory, which only its owner may enter until all of it is there.
    pub(super) fn create(dest: &Path) -> Result<Self, StoreError> {
        use std::os::unix::fs::DirBuilderExt;
        std::fs::DirBuilder::new()
            .mode(0o700)
            .create(dest)
            .map_err(|error| StoreError::io("cannot create", dest, error))?;
        Self::open(dest, dest)
    }

    /// An empty directory at `path`, which messages call `dest`.
    pub(super) fn open(path: &Path, dest: &Path) -> Result<Self, StoreError> {
        let root = open(path, FOLDER, Mode::empty());
        Ok(Self {
            dest: dest.to_owned(),
            root: root.map_err(|error| StoreError::io("cannot open", dest, error))?,
            open: Vec::new(),
            has_powers: false,
            is_guarded: false,
            closed: None,
            interrupt: Interrupt::default(),
        })
    }

    /// The same for as long as `interrupt` doesn't stop it.
    pub(super) fn until(self, interrupt: &Interrupt) -> Self {
        let interrupt = interrupt.clone();
        Self { interrupt, ..self }
    }

    /// The same where nobody else may enter the directory that it is in: it gets its mode, whatever is in it.
    pub(super) fn among_guarded(self) -> Self {
        Self {
            is_guarded: true,
            ..self
        }
    }

    /// The mode that the directory was not given, once all of it is there.
    pub(super) fn closed(&self) -> Option<u32> {
        self.closed
    }

    fn failed(&self, path: &[u8]) -> impl Fn(Errno) -> StoreError + use<> {
        let path = self.dest.join(OsStr::from_bytes(path));
        move |error| StoreError::io("cannot write", &path, error)
    }

    /// Opens the directory that an earlier member is in.
    fn folder_of(&self, path: &Path) -> Result<OwnedFd, Errno> {
        let mut folder = self.root.try_clone().map_err(from_io)?;
        for name in path.parent().into_iter().flat_map(Path::iter) {
            folder = openat(&folder, name, FOLDER, Mode::empty())?;
        }
        Ok(folder)
    }

    fn write(&mut self, member: Member<'_>) -> Result<(), Errno> {
        let stat = member.stat;
        let name = Path::new(OsStr::from_bytes(member.path)).file_name();
        let Some(name) = name else {
            // The root.
            let root = self.root.try_clone().map_err(from_io)?;
            for (key, value) in member.xattrs {
                fsetxattr(&root, key.as_str(), value, XattrFlags::empty())?;
            }
            self.open.push((root, *stat));
            return Ok(());
        };
        let Some((parent, _)) = self.open.last() else {
            return Err(Errno::NOENT);
        };
        let private = Mode::from_raw_mode(0o600);
        match member.kind {
            Kind::Folder => {
                mkdirat(parent, name, Mode::from_raw_mode(0o700))?;
                let folder = openat(parent, name, FOLDER, Mode::empty())?;
                for (key, value) in member.xattrs {
                    fsetxattr(&folder, key.as_str(), value, XattrFlags::empty())?;
                }
                self.open.push((folder, *stat));
                return Ok(());
            }
            Kind::File(mut content) => {
                let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
                let mut file = File::from(openat(parent, name, flags, private)?);
                copy(&mut content, &mut file, stat).map_err(from_io)?;
                self.has_powers |=
                    stat.st_mode & 0o6000 != 0 || member.xattrs.contains_key(CAPABILITY);
                finish(file.as_fd(), stat)?;
                // A change of the owner takes capabilities away.
                for (key, value) in member.xattrs {
                    fsetxattr(&file, key.as_str(), value, XattrFlags::empty())?;
                }
                return Ok(());
            }
            Kind::HardLink(first) => {
                let first = Path::new(OsStr::from_bytes(first));
                let folder = self.folder_of(first)?;
                let target = first.file_name().unwrap_or_default();
                return linkat(&folder, target, parent, name, AtFlags::empty());
            }
            Kind::Symlink(target) => symlinkat(OsStr::from_bytes(target), parent, name)?,
            Kind::Fifo => {
                mknodat(parent, name, FileType::Fifo, mode(stat), 0)?;
                chmodat(parent, name, mode(stat), AtFlags::empty())?;
            }
            Kind::Device(device) => {
                let kind = match device.is_block {
                    true => FileType::BlockDevice,
                    false => FileType::CharacterDevice,
                };
                let number = makedev(device.major, device.minor);
                mknodat(parent, name, kind, mode(stat), number)?;
                self.has_powers = true;
                // Not less what the caller's umask takes away.
                chmodat(parent, name, mode(stat), AtFlags::empty())?;
            }
            // What overlayfs shows has none.
            Kind::Whiteout | Kind::Opaque => return Err(Errno::INVAL),
        }
        let (owner, group) = owner(stat);
        chownat(parent, name, owner, group, AtFlags::SYMLINK_NOFOLLOW)?;
        utimensat(parent, name, &times(stat), AtFlags::SYMLINK_NOFOLLOW)
    }
}

impl Sink for Directory {
    fn member(&mut self, member: Member<'_>) -> Result<(), StoreError> {
        if self.interrupt.is_set() {
            return Err(StoreError::Interrupted);
        }
        let failed = self.failed(member.path);
        self.write(member).map_err(failed)
    }

    fn end_of_folder(&mut self) -> Result<(), StoreError> {
        let Some((folder, mut stat)) = self.open.pop() else {
            return Ok(());
        };
        let is_root = self.open.is_empty();
        if is_root && self.has_powers && !self.is_guarded && stat.st_mode & 0o077 != 0 {
            self.closed = Some(stat.st_mode & 0o7777);
            stat.st_mode &= !0o077;
        }
        finish(folder.as_fd(), &stat).map_err(self.failed(b""))
    }
}

/// Copies a file, holes as holes.
fn copy(from: &mut File, to: &mut File, stat: &Stat) -> io::Result<()> {
    let size = u64::try_from(stat.st_size).unwrap_or_default();
    let occupied = u64::try_from(stat.st_blocks)
        .unwrap_or(u64::MAX)
        .saturating_mul(512);
    if occupied >= size {
        // Within the kernel, where that can.
        return io::copy(from, to).map(drop);
    }
    let mut content = Content::of(from, size);
    while let Some(part) = content.next()? {
        match part {
            Part::Data(bytes) => to.write_all(bytes)?,
            Part::Hole(length) => {
                to.seek_relative(i64::try_from(length).map_err(io::Error::other)?)?;
            }
        }
    }
    to.set_len(size)
}

/// Gives what is open its owner, its mode and its time; the mode comes last, since an owner's change takes parts of it
/// away.
fn finish(file: BorrowedFd<'_>, stat: &Stat) -> Result<(), Errno> {
    let (owner, group) = owner(stat);
    rustix::fs::fchown(file, owner, group)?;
    fchmod(file, mode(stat))?;
    futimens(file, &times(stat))
}

fn owner(stat: &Stat) -> (Option<Uid>, Option<Gid>) {
    (
        Some(Uid::from_raw(stat.st_uid)),
        Some(Gid::from_raw(stat.st_gid)),
    )
}

fn mode(stat: &Stat) -> Mode {
    Mode::from_raw_mode(stat.st_mode & 0o7777)
}

fn times(stat: &Stat) -> Timestamps {
    Timestamps {
        last_access: Timespec {
            tv_sec: 0,
            tv_nsec: UTIME_OMIT,
        },
        last_modification: Timespec {
            tv_sec: stat.st_mtime,
            tv_nsec: i64::try_from(stat.st_mtime_nsec).unwrap_or_default(),
        },
    }
}

fn from_io(error: io::Error) -> Errno {
    Errno::from_io_error(&error).unwrap_or(Errno::IO)
}
