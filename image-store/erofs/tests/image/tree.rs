//! Directories of this machine as images, and what is seen of a file.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use image_erofs::{Attributes, ErofsError, Inode, Mtime, Special, Writer};
use rustix::fs::{lgetxattr, llistxattr};

use crate::mounted::Mounted;

/// What is seen of a file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) mode: u32,
    pub(crate) owner: (u32, u32),
    pub(crate) mtime: (i64, i64),
    pub(crate) links: u64,
    pub(crate) device: u64,
    pub(crate) xattrs: BTreeMap<String, Vec<u8>>,
    /// Content of files, targets of links.
    pub(crate) content: Vec<u8>,
}

pub(crate) fn xattrs(path: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut names = vec![0; 64 << 10];
    let length = llistxattr(path, &mut names).unwrap();
    let names = names[..length].split(|byte| *byte == 0);
    let names = names.filter(|name| !name.is_empty());
    names
        .map(|name| {
            let name = String::from_utf8(name.to_vec()).unwrap();
            let mut value = vec![0; 64 << 10];
            let length = lgetxattr(path, name.as_str(), &mut value).unwrap();
            value.truncate(length);
            (name, value)
        })
        .collect()
}

pub(crate) fn facts(path: &Path) -> Facts {
    let metadata = fs::symlink_metadata(path).unwrap();
    let kind = metadata.file_type();
    Facts {
        mode: metadata.mode(),
        owner: (metadata.uid(), metadata.gid()),
        mtime: (metadata.mtime(), metadata.mtime_nsec()),
        links: metadata.nlink(),
        device: metadata.rdev(),
        xattrs: xattrs(path),
        content: match (kind.is_file(), kind.is_symlink()) {
            (true, _) => fs::read(path).unwrap(),
            (_, true) => fs::read_link(path).unwrap().as_os_str().as_bytes().to_vec(),
            _ => Vec::new(),
        },
    }
}

/// All files below a directory by their paths, and it.
pub(crate) fn all_facts(root: &Path) -> BTreeMap<PathBuf, Facts> {
    let mut found = BTreeMap::new();
    let mut open = vec![root.to_owned()];
    while let Some(path) = open.pop() {
        found.insert(path.strip_prefix(root).unwrap().to_owned(), facts(&path));
        if fs::symlink_metadata(&path).unwrap().is_dir() {
            let entries = fs::read_dir(&path).unwrap();
            open.extend(entries.map(|entry| entry.unwrap().path()));
        }
    }
    found
}

/// An image of a directory.
pub(crate) fn mounted(root: &Path) -> Mounted {
    with_attributes(root, |attributes| {
        Mounted::new(attributes, |writer| {
            let mut tree = Tree {
                writer,
                linked: HashMap::new(),
            };
            tree.directory(root)
        })
    })
}

/// The bytes of an image of a directory.
pub(crate) fn bytes(root: &Path) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let written = with_attributes(root, |attributes| {
        crate::mounted::write(&folder.path().join("image"), attributes, |writer| {
            let mut tree = Tree {
                writer,
                linked: HashMap::new(),
            };
            tree.directory(root)
        })
    });
    written.unwrap()
}

fn with_attributes<T>(path: &Path, with: impl FnOnce(&Attributes<'_>) -> T) -> T {
    let metadata = fs::symlink_metadata(path).unwrap();
    let xattrs = xattrs(path);
    with(&Attributes {
        mode: metadata.mode() & 0o7777,
        uid: metadata.uid(),
        gid: metadata.gid(),
        mtime: Mtime {
            seconds: metadata.mtime(),
            nanoseconds: u32::try_from(metadata.mtime_nsec()).unwrap(),
        },
        xattrs: &xattrs,
    })
}

struct Tree<'w> {
    writer: &'w mut Writer,
    linked: HashMap<(u64, u64), Inode>,
}

impl Tree<'_> {
    fn directory(&mut self, path: &Path) -> Result<(), ErofsError> {
        let mut entries: Vec<_> = fs::read_dir(path)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        entries.sort();
        for path in entries {
            self.entry(&path)?;
        }
        Ok(())
    }

    fn entry(&mut self, path: &Path) -> Result<(), ErofsError> {
        let name = path.file_name().unwrap().as_bytes();
        let metadata = fs::symlink_metadata(path).unwrap();
        let kind = metadata.file_type();
        let identity = (metadata.dev(), metadata.ino());
        if let Some(first) = self.linked.get(&identity) {
            return self.writer.hard_link(name, *first);
        }
        let (major, minor) = (
            rustix::fs::major(metadata.rdev()),
            rustix::fs::minor(metadata.rdev()),
        );
        let added = with_attributes(path, |attributes| {
            if kind.is_dir() {
                self.writer.open_directory(name, attributes)?;
                self.directory(path)?;
                return self.writer.close_directory().map(|()| None);
            }
            if kind.is_file() {
                return self.file(path, name, attributes, metadata.len()).map(Some);
            }
            if kind.is_symlink() {
                let target = fs::read_link(path).unwrap();
                let target = target.as_os_str().as_bytes();
                return self.writer.symlink(name, attributes, target).map(Some);
            }
            let special = if kind.is_fifo() {
                Special::Fifo
            } else if kind.is_socket() {
                Special::Socket
            } else if kind.is_char_device() {
                Special::CharacterDevice { major, minor }
            } else {
                Special::BlockDevice { major, minor }
            };
            self.writer.special(name, attributes, special).map(Some)
        })?;
        if let Some(inode) = added
            && metadata.nlink() > 1
        {
            self.linked.insert(identity, inode);
        }
        Ok(())
    }

    fn file(
        &mut self,
        path: &Path,
        name: &[u8],
        attributes: &Attributes<'_>,
        size: u64,
    ) -> Result<Inode, ErofsError> {
        let mut content = File::open(path).unwrap();
        let mut file = self.writer.file(name, attributes, size, false)?;
        let mut buffer = vec![0; 10_000];
        loop {
            match content.read(&mut buffer).unwrap() {
                0 => return file.finish(),
                count => file.data(&buffer[..count])?,
            }
        }
    }
}
