//! The seal of a layer: what its tree was when it was unpacked, so that a start finds what was
//! changed since.
//!
//! Two files stand beside the tree, `fs/`:
//!
//! - `seal`: what each inode shows (number, type, mode, owner, size, times). Changing a file, its
//!   attributes or the entries of a folder gives it a new change time, which no system call can
//!   set: comparing the inodes finds the change without reading any content.
//! - `contents`: digests of contents, link targets and extended attributes. They follow from the
//!   layer alone and are the same wherever it is unpacked.
//!
//! Both are made before the one rename that makes the layer visible. Their checksums are keyed by
//! the diff ID, so the seal of one layer says nothing of another. They protect from accidents;
//! who can write the store can write a seal too, and [`crate::Store::verify`] proves seals by the
//! blob. The format is in [`file`].

mod block;
mod check;
mod compare;
mod content;
mod expected;
mod facts;
mod file;
mod key;
mod make;
mod record;
#[cfg(test)]
mod tests;
mod tree_walk;

pub use check::Depth;
pub(crate) use check::processors;
pub(crate) use compare::{Changes, against_seal, against_tree};
pub(crate) use file::{CONTENTS, SEAL};
pub(crate) use make::{remake, same_file, seal};
pub(crate) use record::Record;
