//! Root filesystems that consist of layers in overlayfs' form, as one tree: written into a directory or a tar file.
//!
//! Nothing is mounted. Everything is looked up by single names within directories that are open already, through no
//! symbolic link, and written the same way.

mod directory;
mod lookup;
mod member;
mod merged;
mod owners;
mod tar;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};

use image_layer::Limits;
use image_name::Digest;

use crate::decompress::Plain;
use crate::error::StoreError;
use crate::store::Store;
use merged::Part;

pub use lookup::{Found, look_up};
pub use owners::{IdRange, Owners};

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
    let mut roots = Vec::with_capacity(trees.len());
    for tree in trees {
        roots.push(merged::root(tree)?.into());
    }
    let mut directory = directory::Directory::create(dest)?;
    match merged::walk(&roots, &mut directory) {
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

/// Writes the directory that a path leads to in these trees, topmost first, into a new directory, owners and modes included.
/// False if the path leads to none, or below a name of the root directory in `elsewhere`; nothing is written then. Nobody
/// but the owner may enter the directory that `dest` is in: devices, and files that run as their owner, come along.
///
/// # Errors
/// If something can't be read or written; what was written so far is removed then.
pub fn copy_directory(
    trees: &[PathBuf],
    path: &str,
    elsewhere: &[&str],
    dest: &Path,
) -> Result<bool, StoreError> {
    let Some(parts) = lookup::directory(trees, path, elsewhere)? else {
        return Ok(false);
    };
    let mut directory = directory::Directory::create(dest)?.among_guarded();
    let parts: Vec<_> = parts.into_iter().map(Part::from).collect();
    merged::walk(&parts, &mut directory).inspect_err(|_| {
        // The failure that led here is the one to tell of.
        let _ = std::fs::remove_dir_all(dest);
    })?;
    Ok(true)
}

/// A tree of which others may see other owners.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    /// Where it is.
    pub path: PathBuf,
    /// The user namespace in which its files were made, and whose IDs they are told with. `None`: this machine's.
    pub owners: Option<Owners>,
}

impl From<PathBuf> for Tree {
    fn from(path: PathBuf) -> Self {
        Self { path, owners: None }
    }
}

/// Writes what these trees, topmost first, show together as a tar file; `name` is for messages.
///
/// # Errors
/// If something can't be read or written.
pub fn pack(trees: &[Tree], out: impl Write, name: &Path) -> Result<Written, StoreError> {
    let mut tar = tar::Tar::new(out, name);
    let mut roots = Vec::with_capacity(trees.len());
    for tree in trees {
        roots.push(Part {
            directory: merged::root(&tree.path)?,
            owners: tree.owners.as_ref(),
        });
    }
    let gone = merged::walk(&roots, &mut tar)?;
    tar.finish()?;
    Ok(Written { gone, closed: None })
}

/// Unpacks a tar file, or a pipe that one comes from, into the empty directory `dest`: owners, modes, times and extended
/// attributes included, and whatever it is compressed with. Nothing of it gets out of there. `name` is for messages.
///
/// # Errors
/// If it can't be read, is no tar file, goes over the limits of a layer, or can't be written.
pub fn unpack(archive: File, name: &Path, dest: &Path) -> Result<(), StoreError> {
    let limits = Limits::default();
    let plain = BufReader::new(Plain::of_stream(archive, name, &limits)?);
    let what = name.display().to_string();
    image_layer::unpack(plain, dest, &what, &limits)?;
    Ok(())
}
