//! An OCI layout in a directory: a new one, or an image added to one that is there.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;

use image_document::{Blob, Plan};
use image_layer::Hasher;
use image_name::Digest;
use rustix::fs::{FlockOperation, flock};

use super::index::{index, of_archive};
use super::names::{MARKER, blob_name};
use crate::error::StoreError;
use crate::layout::ATTACHMENTS;
use crate::layout::files::{FolderFiles, LayoutFiles};
use crate::partial::Partial;
use crate::plan::{Source, is_docker};
use image_layer::open_regular;

/// Bytes of `index.json`.
const MAX_INDEX: u64 = 4 << 20;

/// Writes a layout to `dest`; where that is a layout already, the image is added to it. A new
/// layout appears by one rename, an image in an old one by the rename of its index.
pub(crate) fn layout(
    plan: &Plan,
    source: &mut Source<'_>,
    dest: &Path,
    tag: Option<&str>,
) -> Result<(), StoreError> {
    let files = FolderFiles::new(dest);
    if dest.symlink_metadata().is_ok() {
        if files.read("oci-layout", MAX_INDEX)?.is_none() {
            return Err(StoreError::Destination {
                path: dest.to_owned(),
                reason: "already exists and is not an OCI image layout",
            });
        }
        return add(plan, source, dest, tag, &files);
    }
    let mut partial = Partial::beside(dest)?.until(source.interrupt());
    partial.directory(0o777)?;
    blobs(plan, source, partial.path())?;
    write(partial.path(), "oci-layout", MARKER)?;
    let (index, attachments) = match is_docker(plan) {
        // Others find such an image only where nothing else is.
        true => of_archive(&[plan], tag)?,
        false => (index(plan, tag, None)?, None),
    };
    write(partial.path(), "index.json", &index)?;
    if let Some(attachments) = attachments {
        write(partial.path(), ATTACHMENTS, &attachments)?;
    }
    partial.finish()
}

fn add(
    plan: &Plan,
    source: &mut Source<'_>,
    dest: &Path,
    tag: Option<&str>,
    files: &FolderFiles,
) -> Result<(), StoreError> {
    // What can't be added is told before anything is.
    index(plan, tag, files.read("index.json", MAX_INDEX)?.as_deref())?;
    blobs(plan, source, dest)?;
    // Adding is reading, changing and writing the index: one at a time, and nobody waits for the blobs of
    // another, which a registry may keep for as long as it likes.
    let folder = File::open(dest).map_err(|e| StoreError::io("cannot open", dest, e))?;
    flock(&folder, FlockOperation::LockExclusive)
        .map_err(|error| StoreError::io("cannot lock", dest, error))?;
    let index = index(plan, tag, files.read("index.json", MAX_INDEX)?.as_deref())?;
    write(dest, "index.json", &index)
}

fn blobs(plan: &Plan, source: &mut Source<'_>, root: &Path) -> Result<(), StoreError> {
    let folder = root.join("blobs/sha256");
    fs::create_dir_all(&folder).map_err(|e| StoreError::io("cannot create", &folder, e))?;
    for blob in &plan.blobs {
        let name = blob_name(&blob.digest);
        let present = has(&root.join(&name), &blob.digest)?;
        source.announce(blob, present);
        if !present {
            one(source, blob, root, &name)?;
            source.arrived(blob);
        }
    }
    let attached = plan.attachments.iter().map(|one| &one.manifest);
    for document in plan.documents.iter().chain(attached) {
        let name = blob_name(&document.digest);
        if !has(&root.join(&name), &document.digest)? {
            write(root, &name, &document.bytes)?;
        }
    }
    Ok(())
}

fn one(source: &mut Source<'_>, blob: &Blob, root: &Path, name: &str) -> Result<(), StoreError> {
    let path = root.join(name);
    let mut partial = Partial::beside(&path)?;
    let mut writer = BufWriter::with_capacity(256 << 10, partial.file(0o666)?);
    source.copy(blob, &path, &mut writer)?;
    writer
        .flush()
        .map_err(|error| StoreError::io("cannot write", &path, error))?;
    drop(writer);
    partial.finish()
}

/// Whether the file is there and has this digest.
fn has(path: &Path, digest: &Digest) -> Result<bool, StoreError> {
    let Some((mut file, _)) = open_regular(path)? else {
        return Ok(false);
    };
    let mut hasher = Hasher::new();
    std::io::copy(&mut file, &mut hasher)
        .map_err(|error| StoreError::io("cannot read", path, error))?;
    Ok(hasher.finish() == *digest)
}

fn write(root: &Path, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
    let path = root.join(name);
    let mut partial = Partial::beside(&path)?;
    let written = partial.file(0o666)?.write_all(bytes);
    written.map_err(|error| StoreError::io("cannot write", &path, error))?;
    partial.finish()
}
