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

/// The key of a layer's checksums: its diff ID, as bytes.
type Key = [u8; 32];

/// The bytes of a SHA-256 digest.
///
/// # Errors
/// [`crate::StoreError::InvalidDigest`] if it is of another algorithm.
fn key(diff_id: &image_name::Digest) -> Result<Key, crate::StoreError> {
    let mut key = [0; 32];
    let digits = diff_id.hex().as_bytes();
    for (byte, pair) in key.iter_mut().zip(digits.chunks_exact(2)) {
        let digit = |at: usize| match pair.get(at) {
            Some(digit @ b'0'..=b'9') => digit - b'0',
            Some(digit @ b'a'..=b'f') => digit - b'a' + 10,
            _ => 0,
        };
        *byte = digit(0) << 4 | digit(1);
    }
    Ok(key)
}
