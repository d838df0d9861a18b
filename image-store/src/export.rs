//! Images into folders and files: as OCI layout, OCI archive or docker archive, such that other
//! tools read them back with equal digests.

mod docker;
mod index;
mod layout;
mod partial;
mod tar_file;
#[cfg(test)]
mod tests;

use std::path::Path;

use crate::copy::{Plan, Source};
use crate::error::StoreError;
use index::index;
pub(crate) use layout::layout;
use partial::Partial;
use tar_file::TarFile;

/// The format of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportFormat {
    /// A folder in the OCI image layout.
    OciLayout,
    /// The same as a tar file.
    OciArchive,
    /// What `docker load` reads: plain layers, one image of one platform.
    DockerArchive,
}

const MARKER: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;

/// Refuses a destination that exists.
pub(crate) fn new(dest: &Path) -> Result<(), StoreError> {
    if dest.symlink_metadata().is_err() {
        return Ok(());
    }
    Err(StoreError::InvalidSource {
        origin: dest.display().to_string(),
        reason: "it exists already".to_owned(),
    })
}

/// Writes an OCI archive to `dest`, which must not exist. It appears by one rename.
pub(crate) fn archive(
    plan: &Plan,
    source: &mut Source<'_>,
    dest: &Path,
    tag: Option<&str>,
) -> Result<(), StoreError> {
    new(dest)?;
    let partial = Partial::beside(dest)?;
    let mut tar = TarFile::create(partial.path())?;
    tar.file("oci-layout", MARKER)?;
    tar.file("index.json", &index(plan, tag, None)?)?;
    let mut written = std::collections::BTreeSet::new();
    let attached = plan.attachments.iter().map(|one| &one.manifest);
    for document in plan.documents.iter().chain(attached) {
        let name = blob_name(&document.digest)?;
        if written.insert(name.clone()) {
            tar.file(&name, &document.bytes)?;
        }
    }
    for blob in &plan.blobs {
        let name = blob_name(&blob.digest)?;
        if written.insert(name.clone()) {
            source.announce(blob, false);
            tar.stream(&name, |path, writer| source.copy(blob, path, writer))?;
            source.arrived(blob);
        }
    }
    tar.finish()?;
    partial.rename_to(dest)
}

/// Writes what `docker load` reads to `dest`, which must not exist. It appears by one rename.
pub(crate) fn docker(
    plan: &Plan,
    source: &mut Source<'_>,
    dest: &Path,
    name: Option<&str>,
) -> Result<(), StoreError> {
    new(dest)?;
    let partial = Partial::beside(dest)?;
    let mut tar = TarFile::create(partial.path())?;
    docker::write(plan, source, &mut tar, name)?;
    tar.finish()?;
    partial.rename_to(dest)
}

fn blob_name(digest: &image_name::Digest) -> Result<String, StoreError> {
    Ok(format!("blobs/sha256/{}", digest.hex()))
}
