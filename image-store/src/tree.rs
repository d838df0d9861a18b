//! Root filesystems that consist of layers in overlayfs' form, as one tree: written into a directory or a tar file.
//!
//! Nothing is mounted. Everything is looked up by single names within directories that are open already, through no
//! symbolic link, and written the same way.

mod changes;
mod directory;
mod erofs;
mod lookup;
mod member;
mod merged;
mod mount_points;
mod owners;
mod tar;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use image_layer::Limits;
use image_name::Digest;

use crate::decompress::Plain;
use crate::error::StoreError;
use crate::export;
use crate::interrupt::Interrupt;
use crate::partial::Partial;
use crate::store::Store;
use merged::{AsLayer, Part};

pub use changes::{Change, changes};
pub(crate) use erofs::write_erofs;
pub use lookup::{Found, look_up};
pub use mount_points::mount_points;
pub use owners::{IdRange, Owners, Tree};

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
    /// Directories that were left out since they are nested too deeply, likewise.
    pub deep: Vec<String>,
    /// The mode that the directory should have and was not given: with what is in it, others may do more than
    /// they may on this machine, so it is closed to them.
    pub closed: Option<u32>,
}

/// Writes what these trees, topmost first, show together into a new directory, owners and modes included. It appears by
/// one rename; `interrupt` takes away what is half written.
///
/// # Errors
/// [`StoreError::Destination`] for what exists, or if something can't be read or written; what was written so far is
/// removed then.
pub fn extract(
    trees: &[PathBuf],
    dest: &Path,
    interrupt: &Interrupt,
) -> Result<Written, StoreError> {
    export::new(dest)?;
    let mut roots = Vec::with_capacity(trees.len());
    for tree in trees {
        roots.push(merged::root(tree)?.into());
    }
    let mut partial = Partial::beside(dest)?.until(interrupt);
    partial.directory(0o700)?;
    let mut directory = directory::Directory::open(partial.path(), dest)?.until(interrupt);
    let gone = merged::walk(&roots, &mut directory)?.nothing_deep()?.gone;
    let closed = directory.closed();
    partial.finish()?;
    Ok(Written {
        gone,
        closed,
        ..Written::default()
    })
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
    let walked = merged::walk(&parts, &mut directory).and_then(merged::LeftOut::nothing_deep);
    walked.inspect_err(|_| {
        // The failure that led here is the one to tell of.
        let _ = std::fs::remove_dir_all(dest);
    })?;
    Ok(true)
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
    let left_out = merged::walk(&roots, &mut tar)?;
    tar.finish()?;
    Ok(Written {
        gone: left_out.gone,
        deep: left_out.deep,
        closed: None,
    })
}

/// Writes what a tree changes of those that it lies above as a layer: whiteouts, opaque directories, and all that is in it
/// but these paths. `name` is for messages. Gives back what was written to, and paths that were gone by the time that
/// they were to be read.
///
/// # Errors
/// If something can't be read or written, or a layer can't hold it.
pub(crate) fn pack_layer<W: Write>(
    tree: &Tree,
    but: &BTreeSet<Vec<u8>>,
    limits: &Limits,
    out: W,
    name: &Path,
) -> Result<(W, Vec<String>), StoreError> {
    let mut tar = tar::Tar::new(out, name);
    let part = Part {
        directory: merged::root(&tree.path)?,
        owners: tree.owners.as_ref(),
    };
    let left_out = merged::walk_layer(part, AsLayer { but, limits }, &mut tar)?.nothing_deep()?;
    Ok((tar.finish()?, left_out.gone))
}

/// As [`pack`], into a file that nobody else may read, whether it is there or not. It appears by one rename.
///
/// # Errors
/// If something can't be read or written; nothing is left of it then.
pub fn pack_file(trees: &[Tree], dest: &Path) -> Result<Written, StoreError> {
    let mut partial = Partial::beside(dest)?;
    let out = BufWriter::with_capacity(256 << 10, partial.file(0o600)?);
    let written = pack(trees, out, dest)?;
    partial.finish()?;
    Ok(written)
}

/// Unpacks a tar file, or a pipe that one comes from, into the empty directory `dest`: owners, modes, times and extended
/// attributes included, and whatever it is compressed with. Nothing of it gets out of there. `name` is for messages.
///
/// # Errors
/// If it can't be read, is no tar file, goes over the limits of a layer, can't be written, or that is interrupted.
pub fn unpack(
    archive: File,
    name: &Path,
    dest: &Path,
    limits: &Limits,
    interrupt: &Interrupt,
) -> Result<(), StoreError> {
    let plain = Plain::of_stream(archive, name, limits)?;
    let plain = BufReader::new(interrupt.reader(plain));
    let what = name.display().to_string();
    image_layer::unpack(plain, dest, &what, limits)?;
    Ok(())
}
