//! A tree on its way into an image.

use std::collections::BTreeMap;
use std::fs::File;

use crate::directory::{self, Entry, check_name};
use crate::error::ErofsError;
use crate::format::{
    Attributes, BLOCK, INODE, InodeCore, Kind, Layout, Mtime, NLINK, SLOT, Special, first_block,
};
use crate::output::Output;
use crate::xattrs::{self, Encoded};

/// A file of the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inode {
    number: u64,
    kind: Kind,
}

/// Writes an image. Each directory is told of before what is in it, and its end after that.
#[derive(Debug)]
pub struct Writer {
    pub(crate) output: Output,
    pub(crate) has_chunks: bool,
    /// Inodes so far.
    count: u32,
    /// The directories that are not complete, the root first.
    open: Vec<Directory>,
    /// Where the root is.
    root: u64,
    /// How many names files have that have several.
    links: BTreeMap<u64, u32>,
}

/// A directory that is not complete.
#[derive(Debug)]
struct Directory {
    inode: NewInode,
    entries: Vec<Entry>,
    /// Where its own number belongs in the directories below it.
    parents: Vec<u64>,
}

/// A file that is not written yet.
#[derive(Debug)]
pub(crate) struct NewInode {
    name: Box<[u8]>,
    mode: u32,
    uid: u32,
    gid: u32,
    mtime: Mtime,
    pub(crate) xattrs: Encoded,
}

impl NewInode {
    pub(crate) fn new(name: &[u8], attributes: &Attributes<'_>) -> Result<Self, ErofsError> {
        Ok(Self {
            name: name.into(),
            mode: attributes.mode,
            uid: attributes.uid,
            gid: attributes.gid,
            mtime: attributes.mtime,
            xattrs: xattrs::encode(attributes.xattrs)?,
        })
    }
}

impl Writer {
    /// Writes into an empty file. The attributes are the root directory's.
    ///
    /// # Errors
    /// If the file can't be written.
    pub fn new(file: File, root: &Attributes<'_>) -> Result<Self, ErofsError> {
        let inode = NewInode::new(b"", root)?;
        let mut output = Output::new(file);
        // The superblock has 16 bits for its number: it has to be among the first.
        let root = output.place(&vec![0; INODE + inode.xattrs.bytes.len()])?;
        Ok(Self {
            output,
            has_chunks: false,
            count: 0,
            open: vec![Directory::new(inode)],
            root,
            links: BTreeMap::new(),
        })
    }

    /// Begins a directory in the one that was begun last and is not complete.
    ///
    /// # Errors
    /// If that can't be its name, or its attributes don't fit.
    pub fn open_directory(
        &mut self,
        name: &[u8],
        attributes: &Attributes<'_>,
    ) -> Result<(), ErofsError> {
        check_name(name)?;
        let inode = NewInode::new(name, attributes)?;
        self.open.push(Directory::new(inode));
        Ok(())
    }

    /// The directory that was begun last is complete.
    ///
    /// # Errors
    /// If it can't be written, or is the root.
    pub fn close_directory(&mut self) -> Result<(), ErofsError> {
        if self.open.len() < 2 {
            return Err(ErofsError::NoDirectory);
        }
        let directory = self.open.pop().ok_or(ErofsError::NoDirectory)?;
        let Directory {
            inode,
            entries,
            parents,
        } = directory;
        let links = links(&entries)?;
        // Where it will be is not known before it is written.
        let content = directory::encode(0, entries)?;
        let tail = content.bytes.len() % BLOCK;
        let is_inline = INODE + inode.xattrs.bytes.len() + tail <= BLOCK;
        let tail = if is_inline { tail } else { 0 };
        let (whole, inlined) = content.bytes.split_at(content.bytes.len() - tail);
        let first = self.data(whole)?;
        let layout = if tail > 0 {
            Layout::Inline
        } else {
            Layout::Plain
        };
        let size = content.bytes.len() as u64;
        let before_tail = (INODE + inode.xattrs.bytes.len()) as u64;
        let own = self.add(inode, Kind::Directory, layout, size, first, inlined)?;
        let at = own.number * SLOT;
        self.output.patch(at + NLINK, &links.to_le_bytes())?;
        let place = |offset: usize| match offset.checked_sub(whole.len()) {
            Some(within) => at + before_tail + within as u64,
            None => u64::from(first) * BLOCK as u64 + offset as u64,
        };
        self.output
            .patch(place(content.own), &own.number.to_le_bytes())?;
        for parent in parents {
            self.output.patch(parent, &own.number.to_le_bytes())?;
        }
        let above = self.open.last_mut().ok_or(ErofsError::NoDirectory)?;
        above.parents.push(place(content.parent));
        Ok(())
    }

    /// Adds a symbolic link.
    ///
    /// # Errors
    /// If that can't be its name, its attributes don't fit, or it can't be written.
    pub fn symlink(
        &mut self,
        name: &[u8],
        attributes: &Attributes<'_>,
        target: &[u8],
    ) -> Result<Inode, ErofsError> {
        check_name(name)?;
        let inode = NewInode::new(name, attributes)?;
        let size = target.len() as u64;
        if INODE + inode.xattrs.bytes.len() + target.len() <= BLOCK {
            return self.add(inode, Kind::Symlink, Layout::Inline, size, 0, target);
        }
        let first = self.data(target)?;
        self.add(inode, Kind::Symlink, Layout::Plain, size, first, &[])
    }

    /// Adds a file that is neither content nor names.
    ///
    /// # Errors
    /// If that can't be its name, its attributes don't fit, or it can't be written.
    pub fn special(
        &mut self,
        name: &[u8],
        attributes: &Attributes<'_>,
        special: Special,
    ) -> Result<Inode, ErofsError> {
        check_name(name)?;
        let inode = NewInode::new(name, attributes)?;
        let (kind, device) = (special.kind(), special.device());
        self.add(inode, kind, Layout::Plain, 0, device, &[])
    }

    /// Adds one more name of a file.
    ///
    /// # Errors
    /// If that can't be its name.
    pub fn hard_link(&mut self, name: &[u8], inode: Inode) -> Result<(), ErofsError> {
        check_name(name)?;
        let links = self.links.entry(inode.number).or_insert(1);
        *links = links.checked_add(1).ok_or(ErofsError::TooMany)?;
        self.name(name.into(), inode)
    }

    /// All has come. Gives the file.
    ///
    /// # Errors
    /// If it can't be written, or directories are not complete.
    pub fn finish(mut self) -> Result<File, ErofsError> {
        let directory = match (self.open.pop(), self.open.is_empty()) {
            (Some(root), true) => root,
            _ => return Err(ErofsError::NoDirectory),
        };
        let number = self.root / SLOT;
        let links = links(&directory.entries)?;
        // It is its own parent.
        let content = directory::encode(number, directory.entries)?;
        let first = self.data(&content.bytes)?;
        self.count = self.count.checked_add(1).ok_or(ErofsError::TooMany)?;
        let size = content.bytes.len() as u64;
        let record = self.record(
            &directory.inode,
            (Kind::Directory, Layout::Plain),
            (size, first, links),
        );
        self.output.patch(self.root, &record)?;
        for parent in directory.parents {
            self.output.patch(parent, &number.to_le_bytes())?;
        }
        for (number, links) in &self.links {
            let at = number * SLOT + NLINK;
            self.output.patch(at, &links.to_le_bytes())?;
        }
        let (inodes, has_chunks) = (u64::from(self.count), self.has_chunks);
        let number = u16::try_from(number).map_err(|_| ErofsError::TooLarge)?;
        self.output
            .finish(|blocks| first_block(number, inodes, blocks, has_chunks))
    }

    /// Writes an inode with its extended attributes, and what follows them, into the directory that was begun last.
    pub(crate) fn add(
        &mut self,
        inode: NewInode,
        kind: Kind,
        layout: Layout,
        size: u64,
        place: u32,
        rest: &[u8],
    ) -> Result<Inode, ErofsError> {
        self.count = self.count.checked_add(1).ok_or(ErofsError::TooMany)?;
        let mut record = self.record(&inode, (kind, layout), (size, place, 1));
        record.extend_from_slice(rest);
        let number = self.output.place(&record)? / SLOT;
        let added = Inode { number, kind };
        self.name(inode.name, added)?;
        Ok(added)
    }

    fn record(
        &self,
        inode: &NewInode,
        (kind, layout): (Kind, Layout),
        (size, place, links): (u64, u32, u32),
    ) -> Vec<u8> {
        let none = BTreeMap::new();
        let core = InodeCore {
            kind,
            layout,
            attributes: &Attributes {
                mode: inode.mode,
                uid: inode.uid,
                gid: inode.gid,
                mtime: inode.mtime,
                xattrs: &none,
            },
            xattr_count: inode.xattrs.count,
            size,
            place,
            number: self.count,
            links,
        };
        let mut record = core.bytes();
        record.extend_from_slice(&inode.xattrs.bytes);
        record
    }

    /// Writes data into blocks of their own. Gives the first.
    fn data(&mut self, bytes: &[u8]) -> Result<u32, ErofsError> {
        let first = self.output.allocate(bytes.len().div_ceil(BLOCK) as u64)?;
        if !bytes.is_empty() {
            self.output.write(u64::from(first) * BLOCK as u64, bytes)?;
        }
        Ok(first)
    }

    fn name(&mut self, name: Box<[u8]>, inode: Inode) -> Result<(), ErofsError> {
        let directory = self.open.last_mut().ok_or(ErofsError::NoDirectory)?;
        directory.entries.push(Entry {
            name,
            inode: inode.number,
            kind: inode.kind,
        });
        Ok(())
    }
}

impl Directory {
    fn new(inode: NewInode) -> Self {
        Self {
            inode,
            entries: Vec::new(),
            parents: Vec::new(),
        }
    }
}

/// How many names a directory has: its own, `.`, and `..` in each that is in it.
fn links(entries: &[Entry]) -> Result<u32, ErofsError> {
    let below = entries
        .iter()
        .filter(|entry| entry.kind == Kind::Directory)
        .count();
    let below = u32::try_from(below).ok();
    below
        .and_then(|below| below.checked_add(2))
        .ok_or(ErofsError::TooMany)
}
