//! The seal of a layer: what its tree was when it was unpacked, so that a start finds what was
//! changed since.
//!
//! Two files stand beside the tree, `fs/`:
//!
//! - `seal`: what each inode shows (number, type, mode, owner, size, times). Changing a file, its
//!   attributes or the entries of a directory gives it a new change time, which no system call can
//!   set: comparing the inodes finds the change without reading any content.
//! - `contents`: digests of contents, link targets and extended attributes. They follow from the
//!   layer alone and are the same wherever it is unpacked.
//!
//! Both are made before the one rename that makes the layer visible. Their checksums are keyed by
//! the diff ID, so the seal of one layer says nothing of another. They protect from accidents;
//! who can write the store can write a seal too, and `Audit` of the store proves seals by the blob. The format is in `file.rs`.

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
mod tree_walk;

pub use check::{Depth, check, processors};
pub use compare::{Changes, against_seal, against_tree};
pub use file::{CONTENTS, SEAL};
pub use make::{remake, same_file, seal};
pub use record::Record;
