//! What overlayfs shows of several trees.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::{CStr, CString};
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::rc::Rc;

use image_layer::{Device, LayerLimit, Limits};
use rustix::fs::{
    AtFlags, Dir, FileType, Mode, OFlags, Stat, fgetxattr, fstat, open, openat, readlinkat, statat,
};
use rustix::io::Errno;

use super::member::{Kind, Member, Sink};
use super::owners::Owners;
use crate::error::StoreError;
use crate::leased::open_leased;
use crate::xattrs;

/// Before the names of files that are gone, in layers (image-spec: layer.md).
pub(super) const WHITEOUT: &[u8] = b".wh.";
/// The mark of a directory that shows nothing of those below it.
const OPAQUE: &str = "trusted.overlay.opaque";
pub(super) const FOLDER: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::CLOEXEC)
    .union(OFlags::NOFOLLOW);

/// An open directory of a tree.
pub(super) struct Part<'a> {
    pub(super) directory: OwnedFd,
    /// Through whose eyes the tree is seen, if they are not this machine's.
    pub(super) owners: Option<&'a Owners>,
}

impl Part<'_> {
    pub(super) fn seen(&self, stat: Stat) -> Stat {
        match self.owners {
            Some(owners) => owners.seen(stat),
            None => stat,
        }
    }

    fn attributes(&self, file: impl AsFd) -> Result<BTreeMap<String, Vec<u8>>, Errno> {
        let mut attributes = xattrs::own(file.as_fd())?;
        if let Some(owners) = self.owners {
            owners.seen_attributes(&mut attributes);
        }
        Ok(attributes)
    }
}

impl AsFd for Part<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }
}

/// One that is seen as it is.
impl From<OwnedFd> for Part<'_> {
    fn from(directory: OwnedFd) -> Self {
        Self {
            directory,
            owners: None,
        }
    }
}

/// The open root of a tree.
pub(super) fn root(tree: &Path) -> Result<OwnedFd, StoreError> {
    open(tree, FOLDER, Mode::empty()).map_err(|error| StoreError::io("cannot open", tree, error))
}

/// What was left out: paths in the tree, a thousand of each at most.
#[derive(Default)]
pub(super) struct LeftOut {
    /// What was gone, or something else, by the time that it was to be read: of a running pod, something always may.
    pub(super) gone: Vec<String>,
    /// Directories below as many others as one may have.
    pub(super) deep: Vec<String>,
}

impl LeftOut {
    /// Refuses a tree with directories that are nested too deeply: an image has none.
    pub(super) fn nothing_deep(self) -> Result<Self, StoreError> {
        match self.deep.first() {
            None => Ok(self),
            Some(path) => Err(StoreError::InvalidSource {
                origin: path.clone(),
                reason: "its directories are nested too deeply".to_owned(),
            }),
        }
    }
}

/// Hands all that these directories, topmost first, show together to a sink.
pub(super) fn walk(parts: &[Part<'_>], sink: &mut dyn Sink) -> Result<LeftOut, StoreError> {
    walk_as(parts, None, sink)
}

/// What is special of a tree that is to be a layer.
#[derive(Clone, Copy)]
pub(super) struct AsLayer<'a> {
    /// Paths that are left out.
    pub(super) but: &'a BTreeSet<Vec<u8>>,
    /// What may be in it.
    pub(super) limits: &'a Limits,
}

/// Hands what a directory changes of others below it to a sink, removals too.
pub(super) fn walk_layer(
    part: Part<'_>,
    layer: AsLayer<'_>,
    sink: &mut dyn Sink,
) -> Result<LeftOut, StoreError> {
    walk_as(&[part], Some(layer), sink)
}

fn walk_as(
    parts: &[Part<'_>],
    layer: Option<AsLayer<'_>>,
    sink: &mut dyn Sink,
) -> Result<LeftOut, StoreError> {
    let mut walk = Walk {
        sink,
        layer,
        depth_max: Limits::default().depth,
        linked: HashMap::new(),
        folders: Vec::new(),
        left_out: LeftOut::default(),
    };
    walk.folder(parts, &mut Vec::new(), 0)?;
    Ok(walk.left_out)
}

struct Walk<'a> {
    sink: &'a mut dyn Sink,
    /// If it becomes a layer, with its marks.
    layer: Option<AsLayer<'a>>,
    depth_max: usize,
    /// Files with names that have not come yet, by device and inode.
    linked: HashMap<(u64, u64), Linked>,
    /// The paths of the open directories, outermost first, as far as somebody needs them.
    folders: Vec<Option<Rc<[u8]>>>,
    left_out: LeftOut,
}

/// A file with several names. An app can have millions of them, far below the root: so directories share their path.
struct Linked {
    folder: Rc<[u8]>,
    /// Its first name there.
    name: Box<[u8]>,
    /// How many of its names have not come.
    left: u64,
}

impl Linked {
    fn path(&self) -> Vec<u8> {
        match self.folder.is_empty() {
            true => self.name.to_vec(),
            false => [&self.folder, b"/".as_slice(), &self.name].concat(),
        }
    }
}

impl Walk<'_> {
    /// Hands over a directory, of which these are the parts, topmost first, and what is in it.
    fn folder(
        &mut self,
        parts: &[Part<'_>],
        path: &mut Vec<u8>,
        depth: usize,
    ) -> Result<(), StoreError> {
        let Some(top) = parts.first() else {
            return Ok(());
        };
        if depth > self.depth_max {
            note(&mut self.left_out.deep, path);
            return Ok(());
        }
        let stat = top.seen(fstat(top).map_err(|error| io(path, error))?);
        let xattrs = top.attributes(top).map_err(|error| io(path, error))?;
        self.sink.member(Member {
            path,
            kind: Kind::Folder,
            stat: &stat,
            xattrs: &xattrs,
        })?;
        if self.layer.is_some() && is_opaque(top, path)? {
            self.sink.member(Member {
                path,
                kind: Kind::Opaque,
                stat: &stat,
                xattrs: &BTreeMap::new(),
            })?;
        }
        self.folders.push(None);
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
        self.folders.pop();
        self.sink.end_of_folder()
    }

    /// Hands over what a name stands for in the first of these directories.
    fn entry(
        &mut self,
        parts: &[Part<'_>],
        name: &CStr,
        path: &mut Vec<u8>,
        depth: usize,
    ) -> Result<(), StoreError> {
        let Some(top) = parts.first() else {
            return Ok(());
        };
        let look = |part: &Part<'_>| statat(part, name, AtFlags::SYMLINK_NOFOLLOW);
        let Some(stat) = self.there(look(top), path)? else {
            return Ok(());
        };
        if let Some(AsLayer { but, .. }) = self.layer {
            if but.contains(path.as_slice()) {
                return Ok(());
            }
            if name.to_bytes().starts_with(WHITEOUT) {
                return Err(StoreError::WhiteoutName { path: shown(path) });
            }
        }
        if is_whiteout(&stat) {
            return match self.layer {
                Some(_) => self.sink.member(Member {
                    path,
                    kind: Kind::Whiteout,
                    stat: &stat,
                    xattrs: &BTreeMap::new(),
                }),
                None => Ok(()),
            };
        }
        if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
            return self.leaf(top, name, path, &top.seen(stat));
        }
        let mut inner = Vec::new();
        for part in parts {
            match look(part) {
                Err(Errno::NOENT) => continue,
                // What is no directory hides all below it, and so does a removal.
                Ok(stat) if FileType::from_raw_mode(stat.st_mode) != FileType::Directory => break,
                other => other.map_err(|error| io(path, error))?,
            };
            let opened = openat(part, name, FOLDER, Mode::empty());
            let Some(folder) = self.there(opened, path)? else {
                break;
            };
            let is_opaque = is_opaque(&folder, path)?;
            inner.push(Part {
                directory: folder,
                owners: part.owners,
            });
            if is_opaque {
                break;
            }
        }
        self.folder(&inner, path, depth + 1)
    }

    /// What a look-up gave, if it is still there and what it was; if not, that is noted.
    fn there<T>(&mut self, found: Result<T, Errno>, path: &[u8]) -> Result<Option<T>, StoreError> {
        match found {
            Ok(found) => Ok(Some(found)),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::NXIO) => {
                self.note_gone(path);
                Ok(None)
            }
            Err(error) => Err(io(path, error)),
        }
    }

    fn note_gone(&mut self, path: &[u8]) {
        note(&mut self.left_out.gone, path);
    }

    fn leaf(
        &mut self,
        folder: &Part<'_>,
        name: &CStr,
        path: &[u8],
        stat: &Stat,
    ) -> Result<(), StoreError> {
        let none = BTreeMap::new();
        let plain = |kind| Member {
            path,
            kind,
            stat,
            xattrs: &none,
        };
        let inode = (stat.st_dev, stat.st_ino);
        if stat.st_nlink > 1
            && let Some(linked) = self.linked.get_mut(&inode)
        {
            let first = linked.path();
            linked.left = linked.left.saturating_sub(1);
            if linked.left == 0 {
                self.linked.remove(&inode);
            }
            return self.sink.member(plain(Kind::HardLink(&first)));
        }
        let kind = FileType::from_raw_mode(stat.st_mode);
        match kind {
            FileType::RegularFile => {
                // What has become a fifo meanwhile must not make this wait.
                let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
                let opened = open_leased(name, |name| openat(folder, name, flags, Mode::empty()));
                if opened.as_ref().err() == Some(&Errno::AGAIN) {
                    let why = "a process holds a lease on it and does not give it up";
                    let error = std::io::Error::other(why);
                    return Err(StoreError::io(
                        "cannot read",
                        Path::new(&shown(path)),
                        error,
                    ));
                }
                let Some(file) = self.there(opened, path)? else {
                    return Ok(());
                };
                let own = fstat(&file).map_err(|error| io(path, error))?;
                if FileType::from_raw_mode(own.st_mode) != FileType::RegularFile {
                    self.note_gone(path);
                    return Ok(());
                }
                if let Some(AsLayer { limits, .. }) = self.layer
                    && u64::try_from(own.st_size).is_ok_and(|size| size > limits.file)
                {
                    let what = shown(path);
                    return Err(limits.exceeded(LayerLimit::FileSize, what).into());
                }
                let xattrs = folder.attributes(&file).map_err(|error| io(path, error))?;
                self.sink.member(Member {
                    path,
                    kind: Kind::File(File::from(file)),
                    stat: &folder.seen(own),
                    xattrs: &xattrs,
                })?;
            }
            FileType::Symlink => {
                let read = readlinkat(folder, name, Vec::new());
                // What is no link any more.
                let read = match read {
                    Err(Errno::INVAL) => Err(Errno::NOENT),
                    other => other,
                };
                let Some(target) = self.there(read, path)? else {
                    return Ok(());
                };
                self.sink.member(plain(Kind::Symlink(target.to_bytes())))?;
            }
            FileType::Fifo => self.sink.member(plain(Kind::Fifo))?,
            FileType::CharacterDevice | FileType::BlockDevice => {
                let Some(device) = Device::of(stat) else {
                    return Ok(());
                };
                self.sink.member(plain(Kind::Device(device)))?;
            }
            // A socket is nothing without the process that listens on it.
            _ => return Ok(()),
        }
        if stat.st_nlink > 1 {
            self.remember(inode, path, name, stat.st_nlink.saturating_sub(1));
        }
        Ok(())
    }

    fn remember(&mut self, inode: (u64, u64), path: &[u8], name: &CStr, left: u64) {
        let length = path.len().saturating_sub(name.count_bytes() + 1);
        let folder = path.get(..length).unwrap_or_default();
        let folder = match self.folders.last_mut() {
            Some(known) => Rc::clone(known.get_or_insert_with(|| folder.into())),
            None => folder.into(),
        };
        let name = name.to_bytes().into();
        let linked = Linked { folder, name, left };
        self.linked.insert(inode, linked);
    }
}

/// The names in these directories, sorted, each with the first directory that has it.
pub(super) fn names(
    parts: &[Part<'_>],
    path: &[u8],
) -> Result<BTreeMap<CString, usize>, StoreError> {
    let mut names = BTreeMap::new();
    for (number, part) in parts.iter().enumerate() {
        for entry in Dir::read_from(&part.directory).map_err(|error| io(path, error))? {
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

fn note(paths: &mut Vec<String>, path: &[u8]) {
    const MOST: usize = 1 << 10;
    if paths.len() < MOST {
        paths.push(shown(path));
    }
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
