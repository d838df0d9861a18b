//! Root filesystems that consist of layers in overlayfs' form, as one tree: written into a directory or a tar file.
//!
//! Nothing is mounted. Everything is looked up by single names within directories that are open already, through no
//! symbolic link, and written the same way.

mod directory;
mod lookup;
mod member;
mod merged;
mod tar;
#[cfg(test)]
mod tests;

use std::io::Write;
use std::path::{Path, PathBuf};

use image_name::Digest;

use crate::error::StoreError;
use crate::store::Store;

pub use lookup::{Found, look_up};

impl Store {
    /// Where the tree of an unpacked layer is.
    #[must_use]
    pub fn layer_tree(&self, diff_id: &Digest) -> PathBuf {
        self.layer_folder(diff_id).join("fs")
    }
}

/// How a tree was written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Written {
    /// What was gone by the time that it was to be read: paths in the tree, a thousand at most.
    pub gone: Vec<String>,
    /// The mode that the directory should have and was not given: with what is in it, others may do more than
    /// they may on this machine, so it is closed to them.
    pub closed: Option<u32>,
}

/// Writes what these trees, topmost first, show together into a new directory, owners and modes included.
///
/// # Errors
/// If something can't be read or written; what was written so far is removed then.
pub fn extract(trees: &[PathBuf], dest: &Path) -> Result<Written, StoreError> {
    let mut directory = directory::Directory::create(dest)?;
    match merged::walk(trees, &mut directory) {
        Ok(gone) => Ok(Written {
            gone,
            closed: directory.closed(),
        }),
        Err(error) => {
            // The failure that led here is the one to tell of.
            let _ = std::fs::remove_dir_all(dest);
            Err(error)
        }
    }
}

/// Writes what these trees, topmost first, show together as a tar file; `name` is for messages.
///
/// # Errors
/// If something can't be read or written.
pub fn pack(trees: &[PathBuf], out: impl Write, name: &Path) -> Result<Written, StoreError> {
    let mut tar = tar::Tar::new(out, name);
    let gone = merged::walk(trees, &mut tar)?;
    tar.finish()?;
    Ok(Written { gone, closed: None })
}
