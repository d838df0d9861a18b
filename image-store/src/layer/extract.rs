//! Members of a layer become files below the layer's root.

use std::fs::File;
use std::io::{BufRead, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, Timespec, Timestamps, UTIME_OMIT, Uid, XattrFlags,
    chmodat, chownat, fchmod, fchown, fsetxattr, fstatvfs, futimens, linkat, makedev, mkdirat,
    mknodat, openat, statat, symlinkat, utimensat,
};
use rustix::io::Errno;

use super::member::{Kind, Member, MemberPath, Time};
use super::tree::{Tree, is_whiteout, kind_of, open_folder, set_opaque};
use super::walk::{Walk, shown};
use super::whiteout::{Meaning, meaning};
use crate::error::StoreError;
use crate::origin::Limits;

/// Bytes of folder paths that are kept in memory to set their times at the end.
const MAX_FOLDER_PATHS: usize = 32 << 20;

/// What was unpacked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Extracted {
    /// Bytes of all files, holes included.
    pub(crate) bytes: u64,
    /// Entries of the archive.
    pub(crate) entries: u64,
    /// Whether the layer hides everything below it.
    pub(crate) opaque: bool,
}

/// Unpacks the tar stream `input` into the empty folder `root`, whose path `at` is for messages.
/// Reads the stream to its end.
pub(super) fn extract(
    input: impl BufRead,
    root: OwnedFd,
    at: &Path,
    what: &str,
    limits: &Limits,
) -> Result<Extracted, StoreError> {
    let mut walk = Walk::new(input, what, limits);
    let mut extraction = Extraction {
        tree: Tree::new(root),
        at,
        what,
        folder_times: Vec::new(),
        folder_paths: 0,
        opaque: false,
    };
    while let Some(member) = walk.next()? {
        extraction.member(&member, &mut walk)?;
    }
    let extracted = Extracted {
        bytes: walk.expanded(),
        entries: walk.entries(),
        opaque: extraction.opaque,
    };
    walk.finish()?;
    extraction.set_folder_times()?;
    Ok(extracted)
}

struct Extraction<'a> {
    tree: Tree,
    at: &'a Path,
    what: &'a str,
    /// Times of folders change as they are filled, so they are set last.
    folder_times: Vec<(Vec<u8>, Time)>,
    folder_paths: usize,
    opaque: bool,
}

impl Extraction<'_> {
    fn member<R: BufRead>(
        &mut self,
        member: &Member,
        walk: &mut Walk<'_, R>,
    ) -> Result<(), StoreError> {
        match meaning(member).map_err(|reason| self.refuse(&member.path, &reason))? {
            Meaning::Ignored => return Ok(()),
            Meaning::Whiteout(hidden) => {
                return self
                    .whiteout(member, hidden)
                    .map_err(|e| self.failed(&member.path, e));
            }
            Meaning::Opaque => {
                return self
                    .hide_below(member)
                    .map_err(|e| self.failed(&member.path, e));
            }
            Meaning::Plain => {}
        }
        if member.path.is_root() {
            if member.kind != Kind::Folder {
                return Err(self.refuse(&member.path, "the root of a layer must be a folder"));
            }
            let root = self
                .tree
                .folder(b"")
                .map_err(|e| self.failed(&member.path, e))?;
            return self.finish_folder(member, root.as_fd());
        }
        if member.kind == Kind::Device {
            return Ok(());
        }
        let parent = self
            .tree
            .parent_of(&member.path)
            .map_err(|error| self.failed(&member.path, error))?;
        let parent = parent.as_fd();
        let made = match member.kind {
            Kind::File => return self.file(member, parent, walk),
            Kind::Folder => return self.folder(member, parent),
            Kind::HardLink => return self.hard_link(member, parent),
            Kind::Symlink => self.symlink(member, parent),
            Kind::Fifo => self.fifo(member, parent),
            Kind::Device => Ok(()),
        };
        made.map_err(|error| self.failed(&member.path, error))
    }

    fn whiteout(&mut self, member: &Member, hidden: &[u8]) -> Result<(), Errno> {
        let parent = self.tree.parent_of(&member.path)?;
        match kind_of(parent.as_fd(), hidden)? {
            None => mknodat(
                &parent,
                hidden,
                FileType::CharacterDevice,
                Mode::empty(),
                makedev(0, 0),
            ),
            // A whiteout speaks of the layers below, not of this one: what this layer has stays,
            // and a folder no longer shows what is in the one below.
            Some(FileType::Directory) => set_opaque(open_folder(parent.as_fd(), hidden)?.as_fd()),
            Some(_) => Ok(()),
        }
    }

    fn hide_below(&mut self, member: &Member) -> Result<(), Errno> {
        // overlayfs has no opaque root: the layers below are left out instead.
        if member.path.parent().is_empty() {
            self.opaque = true;
        }
        set_opaque(self.tree.parent_of(&member.path)?.as_fd())
    }

    fn file<R: BufRead>(
        &mut self,
        member: &Member,
        parent: BorrowedFd<'_>,
        walk: &mut Walk<'_, R>,
    ) -> Result<(), StoreError> {
        let name = member.path.name();
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let open = || openat(parent, name, flags, Mode::RUSR | Mode::WUSR);
        let file = match open() {
            Err(Errno::EXIST) => self.tree.remove(parent, name).and_then(|()| open()),
            other => other,
        };
        let mut file = File::from(file.map_err(|error| self.failed(&member.path, error))?);
        let write_failed =
            |error: std::io::Error| StoreError::io("cannot write a file below", self.at, error);
        match &member.segments {
            None => walk.read_data(member.size, &mut |chunk| {
                file.write_all(chunk).map_err(write_failed)
            })?,
            Some(segments) => {
                file.set_len(member.size).map_err(write_failed)?;
                for segment in segments {
                    let mut offset = segment.offset;
                    walk.read_data(segment.length, &mut |chunk| {
                        file.write_all_at(chunk, offset).map_err(write_failed)?;
                        offset += chunk.len() as u64;
                        Ok(())
                    })?;
                }
            }
        }
        self.own(member, file.as_fd())?;
        futimens(&file, &times(member.mtime)).map_err(|e| self.failed(&member.path, e))
    }

    fn folder(&mut self, member: &Member, parent: BorrowedFd<'_>) -> Result<(), StoreError> {
        let name = member.path.name();
        let make = |tree: &mut Tree| -> Result<OwnedFd, Errno> {
            match mkdirat(parent, name, Mode::RWXU) {
                Ok(()) => return open_folder(parent, name),
                Err(Errno::EXIST) => {}
                Err(error) => return Err(error),
            }
            match open_folder(parent, name) {
                // A link, a file or a whiteout of this layer: a folder takes its place.
                Err(Errno::NOTDIR) => {}
                other => return other,
            }
            let opaque = is_whiteout(parent, name)?;
            tree.remove(parent, name)?;
            mkdirat(parent, name, Mode::RWXU)?;
            let folder = open_folder(parent, name)?;
            if opaque {
                set_opaque(folder.as_fd())?;
            }
            Ok(folder)
        };
        let folder = make(&mut self.tree).map_err(|error| self.failed(&member.path, error))?;
        self.finish_folder(member, folder.as_fd())
    }

    fn finish_folder(&mut self, member: &Member, folder: BorrowedFd<'_>) -> Result<(), StoreError> {
        self.own(member, folder)?;
        let path = member.path.as_bytes().to_vec();
        self.folder_paths += path.len() + size_of::<(Vec<u8>, Time)>();
        if self.folder_paths > MAX_FOLDER_PATHS {
            return Err(StoreError::LimitExceeded {
                what: format!("{}: paths of folders", self.what),
                limit: format!("{MAX_FOLDER_PATHS} bytes"),
            });
        }
        self.folder_times.push((path, member.mtime));
        Ok(())
    }

    fn hard_link(&mut self, member: &Member, parent: BorrowedFd<'_>) -> Result<(), StoreError> {
        let Some(target) = &member.linked else {
            return Ok(());
        };
        let refuse = |reason: &str| {
            let target = shown(target.as_bytes());
            self.refuse(
                &member.path,
                &format!("target {target:?} of the hard link {reason}"),
            )
        };
        let folder = match self.tree.folder(target.parent()) {
            Ok(folder) => folder,
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {
                return Err(refuse("is not in the layer"));
            }
            Err(error) => return Err(self.failed(&member.path, error)),
        };
        let stat = match statat(&folder, target.name(), AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(Errno::NOENT) => return Err(refuse("is not in the layer")),
            Err(error) => return Err(self.failed(&member.path, error)),
        };
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile | FileType::Symlink | FileType::Fifo => {}
            _ => return Err(refuse("can't be linked to")),
        }
        // The link is to the very inode, a symbolic link is never followed.
        let link = || {
            linkat(
                &folder,
                target.name(),
                parent,
                member.path.name(),
                AtFlags::empty(),
            )
        };
        let linked = match link() {
            Err(Errno::EXIST) => {
                let name = member.path.name();
                match statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
                    Ok(old) if old.st_ino == stat.st_ino => Ok(()),
                    _ => self.tree.remove(parent, name).and_then(|()| {
                        // What was removed may have held the target.
                        link()
                    }),
                }
            }
            other => other,
        };
        linked.map_err(|error| self.failed(&member.path, error))
    }

    fn symlink(&mut self, member: &Member, parent: BorrowedFd<'_>) -> Result<(), Errno> {
        let name = member.path.name();
        self.replacing(parent, name, &|| symlinkat(&*member.target, parent, name))?;
        self.own_by_name(member, parent, AtFlags::SYMLINK_NOFOLLOW)
    }

    fn fifo(&mut self, member: &Member, parent: BorrowedFd<'_>) -> Result<(), Errno> {
        let name = member.path.name();
        self.replacing(parent, name, &|| {
            mknodat(parent, name, FileType::Fifo, Mode::empty(), 0)
        })?;
        self.own_by_name(member, parent, AtFlags::SYMLINK_NOFOLLOW)?;
        // Nobody else is in this folder: the name still is the fifo that was just made.
        chmodat(
            parent,
            name,
            Mode::from_raw_mode(member.mode),
            AtFlags::empty(),
        )?;
        utimensat(
            parent,
            name,
            &times(member.mtime),
            AtFlags::SYMLINK_NOFOLLOW,
        )
    }

    fn replacing(
        &mut self,
        parent: BorrowedFd<'_>,
        name: &[u8],
        make: &dyn Fn() -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        match make() {
            Err(Errno::EXIST) => {
                self.tree.remove(parent, name)?;
                make()
            }
            other => other,
        }
    }

    fn own_by_name(
        &self,
        member: &Member,
        parent: BorrowedFd<'_>,
        flags: AtFlags,
    ) -> Result<(), Errno> {
        let name = member.path.name();
        if (member.uid, member.gid) != (0, 0) {
            let (uid, gid) = (Uid::from_raw(member.uid), Gid::from_raw(member.gid));
            chownat(parent, name, Some(uid), Some(gid), flags)?;
        }
        utimensat(parent, name, &times(member.mtime), flags)
    }

    /// Sets owner, then what a change of the owner would clear: setuid bits and capabilities.
    fn own(&self, member: &Member, fd: BorrowedFd<'_>) -> Result<(), StoreError> {
        let failed = |error| self.failed(&member.path, error);
        // What the store makes is root's; a folder may be here for the second time.
        if (member.uid, member.gid) != (0, 0) || member.kind == Kind::Folder {
            let (uid, gid) = (Uid::from_raw(member.uid), Gid::from_raw(member.gid));
            fchown(fd, Some(uid), Some(gid)).map_err(failed)?;
        }
        fchmod(fd, Mode::from_raw_mode(member.mode)).map_err(failed)?;
        for (name, value) in &member.xattrs {
            match fsetxattr(fd, name.as_str(), value, XattrFlags::empty()) {
                Ok(()) | Err(Errno::OPNOTSUPP) => {}
                // ext4 says so too where the attributes don't fit into one block.
                Err(Errno::NOSPC) if fstatvfs(fd).is_ok_and(|fs| fs.f_bavail > 0) => {
                    return Err(self.refuse(&member.path, "its extended attributes are too large"));
                }
                Err(error) => return Err(failed(error)),
            }
        }
        Ok(())
    }

    fn set_folder_times(&self) -> Result<(), StoreError> {
        for (path, time) in &self.folder_times {
            match self.tree.folder(path) {
                Ok(folder) => futimens(&folder, &times(*time))
                    .map_err(|error| StoreError::io("cannot set times below", self.at, error))?,
                // Replaced by a later member.
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {}
                Err(error) => {
                    return Err(StoreError::io("cannot open a folder below", self.at, error));
                }
            }
        }
        Ok(())
    }

    fn refuse(&self, path: &MemberPath, reason: &str) -> StoreError {
        StoreError::UnsafeEntry {
            what: self.what.to_owned(),
            entry: shown(path.as_bytes()),
            reason: reason.to_owned(),
        }
    }

    /// Tells what the archive is to blame for from what the machine is.
    fn failed(&self, path: &MemberPath, error: Errno) -> StoreError {
        match error {
            Errno::LOOP => self.refuse(path, "its path goes through a symbolic link"),
            Errno::NOTDIR => self.refuse(path, "its path goes through what is no folder"),
            Errno::XDEV | Errno::NOENT | Errno::NAMETOOLONG | Errno::INVAL | Errno::MLINK => {
                self.refuse(path, &std::io::Error::from(error).to_string())
            }
            error => StoreError::io("cannot unpack below", self.at, error),
        }
    }
}

fn times(mtime: Time) -> Timestamps {
    Timestamps {
        last_access: Timespec {
            tv_sec: 0,
            tv_nsec: UTIME_OMIT,
        },
        last_modification: Timespec {
            tv_sec: mtime.seconds,
            tv_nsec: i64::from(mtime.nanoseconds),
        },
    }
}
