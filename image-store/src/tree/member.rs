//! A member of a tree, on its way from where it is read to where it is written.

use std::collections::BTreeMap;
use std::fs::File;

use image_layer::Device;
use rustix::fs::Stat;

use crate::error::StoreError;

/// What a member is.
pub(super) enum Kind<'a> {
    /// A file with its content; how much that is its status says.
    File(File),
    Folder,
    Symlink(&'a [u8]),
    /// To an earlier member.
    HardLink(&'a [u8]),
    Fifo,
    Device(Device),
    /// In a layer alone: the path is nothing any more.
    Whiteout,
    /// In a layer alone: the directory, which came just before, shows nothing of those below it.
    Opaque,
}

/// A member of a tree.
pub(super) struct Member<'a> {
    /// Relative to the root; empty for the root itself.
    pub(super) path: &'a [u8],
    pub(super) kind: Kind<'a>,
    pub(super) stat: &'a Stat,
    pub(super) xattrs: &'a BTreeMap<String, Vec<u8>>,
}

/// Where members go, each directory before what is in it.
pub(super) trait Sink {
    /// Takes a member.
    fn member(&mut self, member: Member<'_>) -> Result<(), StoreError>;

    /// All that is in the directory that was begun last, and not ended yet, has come.
    fn end_of_folder(&mut self) -> Result<(), StoreError>;
}
