//! Members of a layer become files below the layer's root.

use std::fs::File;
use std::io::BufRead;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{
    AtFlags, CWD, FileType, Gid, Mode, OFlags, Uid, XattrFlags, chmodat, chownat, fchmod, fchown,
    fsetxattr, fstat, fstatvfs, futimens, linkat, makedev, mkdirat, mknodat, openat, statat,
    symlinkat, utimensat,
};
use rustix::io::Errno;

use super::member::{Kind, Member, MemberPath};
use super::shown::shown;
use super::tree::{FOLDER, Tree, is_whiteout_stat, kind_of, open_folder, set_opaque};
use super::walk::Walk;
use super::whiteout::{Meaning, meaning, names_whiteout};
use crate::error::ContentError;
use crate::limits::Limits;
use crate::seal::Record;
use crate::write_back::start_writing;

/// Bytes from which a file is not left to be written to the disk at the end.
const LARGE: u64 = 1 << 20;

/// How a file is made that nobody else has.
const NEW: OFlags = OFlags::WRONLY
    .union(OFlags::CREATE)
    .union(OFlags::EXCL)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);
/// How what must not be opened is held.
const MERE_PATH: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// What was unpacked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extracted {
    /// Bytes of all files, holes included.
    pub bytes: u64,
    /// Entries of the archive.
    pub entries: u64,
    /// Whether the layer hides everything below it.
    pub opaque: bool,
}

/// Unpacks the tar stream `input`, which is no layer, into the empty directory `root`, as safely as a layer: what is named
/// like a whiteout is a file like others. Reads the stream to its end. `what` is for messages.
///
/// # Errors
/// [`ContentError`], as for layers; what was unpacked so far stays.
pub fn unpack(
    input: impl BufRead,
    root: &Path,
    what: &str,
    limits: &Limits,
) -> Result<Extracted, ContentError> {
    let directory = openat(CWD, root, FOLDER, Mode::empty())
        .map_err(|error| ContentError::io("cannot open", root, error))?;
    let of = (directory, root);
    extract_as(Form::Plain, input, of, what, limits, &mut Record::default())
}

/// Unpacks the tar stream `input` into the empty directory `root`, whose path `at` is for messages.
/// Reads the stream to its end. `record` learns what is in the files.
pub(super) fn extract(
    input: impl BufRead,
    root: OwnedFd,
    at: &Path,
    what: &str,
    limits: &Limits,
    record: &mut Record,
) -> Result<Extracted, ContentError> {
    extract_as(Form::Layer, input, (root, at), what, limits, record)
}

/// What the names of an archive mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// Some hide what is in the layers below.
    Layer,
    /// Files, all of them.
    Plain,
}

fn extract_as(
    form: Form,
    input: impl BufRead,
    (root, at): (OwnedFd, &Path),
    what: &str,
    limits: &Limits,
    record: &mut Record,
) -> Result<Extracted, ContentError> {
    let mut walk = Walk::new(input, what, limits);
    let mut extraction = Extraction {
        form,
        tree: Tree::new(root),
        record,
        at,
        what,
        opaque: false,
    };
    while let Some(mut member) = walk.next_member()? {
        extraction.place(&mut member, limits)?;
        extraction.member(&member, &mut walk)?;
    }
    let extracted = Extracted {
        bytes: walk.expanded(),
        entries: walk.entries(),
        opaque: extraction.opaque,
    };
    match form {
        // Some tools leave out the end; that nothing is missing, the digest tells.
        Form::Layer => walk.finish()?,
        Form::Plain => walk.finish_whole()?,
    }
    extraction
        .tree
        .close()
        .map_err(|error| ContentError::io("cannot set times below", at, error))?;
    Ok(extracted)
}

struct Extraction<'a> {
    form: Form,
    tree: Tree,
    record: &'a mut Record,
    at: &'a Path,
    what: &'a str,
    opaque: bool,
}

impl Extraction<'_> {
    /// Gives a member, and the target of a hard link, the path that they have behind symbolic links.
    ///
    /// All that follows works on that path, through no link. It is told from the layer's own links
    /// alone, below its root: what a peer makes of the archive in a directory that it has changed
    /// its root to.
    fn place(&mut self, member: &mut Member, limits: &Limits) -> Result<(), ContentError> {
        let (path, linked) = (&mut member.path, &mut member.linked);
        for path in std::iter::once(path).chain(linked.as_mut()) {
            let real = match self.tree.behind_links(path.parent()) {
                Ok(None) => continue,
                Ok(Some(real)) => real,
                Err(Errno::LOOP) => {
                    return Err(self.refuse(path, "its path goes through too many symbolic links"));
                }
                Err(error) => return Err(self.failed(path, error)),
            };
            // A link could name a whiteout; no directory of a layer is called so.
            if self.form == Form::Layer && names_whiteout(&real) {
                let reason = "a symbolic link on its path leads to the name of a whiteout";
                return Err(self.refuse(path, reason));
            }
            let real = [&real, path.name()].join(&b'/');
            let placed = MemberPath::parse(&real, limits).map_err(|_| {
                self.refuse(
                    path,
                    "its path behind symbolic links is too long or too deep",
                )
            })?;
            *path = placed;
        }
        Ok(())
    }

    fn member<R: BufRead>(
        &mut self,
        member: &Member,
        walk: &mut Walk<'_, R>,
    ) -> Result<(), ContentError> {
        let meaning = match self.form {
            Form::Layer => meaning(member).map_err(|reason| self.refuse(&member.path, &reason))?,
            Form::Plain => Meaning::Plain,
        };
        match meaning {
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
                return Err(self.refuse(&member.path, "the root of a layer must be a directory"));
            }
            let root = self
                .tree
                .folder(b"")
                .map_err(|e| self.failed(&member.path, e))?;
            return self.finish_folder(member, root);
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
            Kind::Fifo => self.special(member, parent, FileType::Fifo, 0),
            Kind::Device(device) if self.form == Form::Layer && device.is_whiteout() => {
                self.hide(member, parent)
            }
            Kind::Device(device) => {
                let kind = match device.is_block {
                    true => FileType::BlockDevice,
                    false => FileType::CharacterDevice,
                };
                self.special(member, parent, kind, makedev(device.major, device.minor))
            }
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
            // and a directory no longer shows what is in the one below.
            Some(FileType::Directory) => set_opaque(open_folder(parent.as_fd(), hidden)?.as_fd()),
            Some(_) => Ok(()),
        }
    }

    /// Hides what is below by a whiteout in overlayfs' form. It is a member like others: what the layer
    /// had at its path before goes.
    fn hide(&mut self, member: &Member, parent: BorrowedFd<'_>) -> Result<(), Errno> {
        let name = member.path.name();
        let kind = FileType::CharacterDevice;
        let make = || mknodat(parent, name, kind, Mode::empty(), makedev(0, 0));
        self.replacing(member, parent, &make)
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
    ) -> Result<(), ContentError> {
        let name = member.path.name();
        let mode = Mode::RUSR.union(Mode::WUSR);
        let open = || openat(parent, name, NEW, mode);
        let file = match open() {
            Err(Errno::EXIST) => {
                let removed = self.tree.remove(parent, &member.path);
                removed.and_then(|()| open())
            }
            other => other,
        };
        let file = File::from(file.map_err(|error| self.failed(&member.path, error))?);
        let at = self.at;
        let write_failed =
            |error: std::io::Error| ContentError::io("cannot write a file below", at, error);
        let mut content = self.record.file(file, member.segments.is_some());
        match &member.segments {
            None => walk.read_data(member.size, &mut |chunk| {
                content.append(chunk).map_err(write_failed)
            })?,
            Some(segments) => {
                for segment in segments {
                    let mut offset = segment.offset;
                    walk.read_data(segment.length, &mut |chunk| {
                        content.put(chunk, offset).map_err(write_failed)?;
                        offset += chunk.len() as u64;
                        Ok(())
                    })?;
                }
            }
        }
        let file = content.end(member.size).map_err(write_failed)?;
        self.own(member, file.as_fd())?;
        futimens(&file, &member.mtime.timestamps()).map_err(|e| self.failed(&member.path, e))?;
        if member.size >= LARGE {
            start_writing(&file, 0..member.size);
        }
        Ok(())
    }

    fn folder(&mut self, member: &Member, parent: BorrowedFd<'_>) -> Result<(), ContentError> {
        let name = member.path.name();
        let make = |tree: &mut Tree| -> Result<OwnedFd, Errno> {
            match mkdirat(parent, name, Mode::RWXU) {
                Ok(()) => return open_folder(parent, name),
                Err(Errno::EXIST) => {}
                Err(error) => return Err(error),
            }
            match open_folder(parent, name) {
                // A link, a file or a whiteout of this layer: a directory takes its place.
                Err(Errno::NOTDIR) => {}
                other => return other,
            }
            tree.remove(parent, &member.path)?;
            mkdirat(parent, name, Mode::RWXU)?;
            let folder = open_folder(parent, name)?;
            // What was here had hidden a directory of the layers below.
            set_opaque(folder.as_fd())?;
            Ok(folder)
        };
        let folder = make(&mut self.tree).map_err(|error| self.failed(&member.path, error))?;
        self.finish_folder(member, folder)
    }

    fn finish_folder(&mut self, member: &Member, folder: OwnedFd) -> Result<(), ContentError> {
        self.own(member, folder.as_fd())?;
        self.tree
            .keep(member.path.as_bytes(), Arc::new(folder), member.mtime)
            .map_err(|error| self.failed(&member.path, error))
    }

    fn hard_link(&mut self, member: &Member, parent: BorrowedFd<'_>) -> Result<(), ContentError> {
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
            FileType::Directory => return Err(refuse("is a directory")),
            // overlayfs makes its whiteouts as links to one another: each hides what is below it.
            _ if is_whiteout_stat(&stat) => {
                return self
                    .hide(member, parent)
                    .map_err(|error| self.failed(&member.path, error));
            }
            _ => {}
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
                    _ => self.tree.remove(parent, &member.path).and_then(|()| {
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
        self.replacing(member, parent, &|| symlinkat(&*member.target, parent, name))?;
        let flags = AtFlags::SYMLINK_NOFOLLOW;
        if (member.uid, member.gid) != (0, 0) {
            let (uid, gid) = (Uid::from_raw(member.uid), Gid::from_raw(member.gid));
            chownat(parent, name, Some(uid), Some(gid), flags)?;
        }
        utimensat(parent, name, &member.mtime.timestamps(), flags)
    }

    /// A fifo or a device node. Nothing is ever opened to be read or written.
    fn special(
        &mut self,
        member: &Member,
        parent: BorrowedFd<'_>,
        kind: FileType,
        device: u64,
    ) -> Result<(), Errno> {
        let name = member.path.name();
        let make = || mknodat(parent, name, kind, Mode::empty(), device);
        match self.replacing(member, parent, &make) {
            // Where the kernel lets nobody make devices, as in a user namespace, there are none.
            Err(Errno::PERM) if kind != FileType::Fifo => return Ok(()),
            other => other?,
        }
        let made = openat(parent, name, MERE_PATH, Mode::empty())?;
        if FileType::from_raw_mode(fstat(&made)?.st_mode) != kind {
            return Err(Errno::INVAL);
        }
        // The descriptor can't be worked on but through its name in procfs, which leads to the
        // very inode.
        let made_at = format!("/proc/self/fd/{}", made.as_raw_fd());
        if (member.uid, member.gid) != (0, 0) {
            let (uid, gid) = (Uid::from_raw(member.uid), Gid::from_raw(member.gid));
            chownat(&made, c"", Some(uid), Some(gid), AtFlags::EMPTY_PATH)?;
        }
        let mode = Mode::from_raw_mode(member.mode);
        chmodat(CWD, &made_at, mode, AtFlags::empty())?;
        let times = member.mtime.timestamps();
        utimensat(CWD, &made_at, &times, AtFlags::empty())
    }

    fn replacing(
        &mut self,
        member: &Member,
        parent: BorrowedFd<'_>,
        make: &dyn Fn() -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        match make() {
            Err(Errno::EXIST) => {
                self.tree.remove(parent, &member.path)?;
                make()
            }
            other => other,
        }
    }

    /// Sets owner, then what a change of the owner would clear: setuid bits and capabilities.
    fn own(&self, member: &Member, fd: BorrowedFd<'_>) -> Result<(), ContentError> {
        let failed = |error| self.failed(&member.path, error);
        // What the store makes is root's; a directory may be here for the second time.
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

    fn refuse(&self, path: &MemberPath, reason: &str) -> ContentError {
        ContentError::UnsafeEntry {
            what: self.what.to_owned(),
            entry: shown(path.as_bytes()),
            reason: reason.to_owned(),
        }
    }

    /// Tells what the archive is to blame for from what the machine is.
    fn failed(&self, path: &MemberPath, error: Errno) -> ContentError {
        match error {
            Errno::LOOP => self.refuse(path, "its path goes through a symbolic link"),
            Errno::NOTDIR => self.refuse(
                path,
                "its path goes through something that is not a directory",
            ),
            Errno::XDEV | Errno::NOENT | Errno::NAMETOOLONG | Errno::INVAL | Errno::MLINK => {
                self.refuse(path, &std::io::Error::from(error).to_string())
            }
            error => ContentError::io("cannot unpack below", self.at, error),
        }
    }
}
