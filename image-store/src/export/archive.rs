//! An OCI layout as a tar file.

use std::path::Path;

use image_document::Plan;

use super::index::of_archive;
use super::names::{MARKER, blob_name, new};
use super::partial::Partial;
use crate::error::StoreError;
use crate::layout::ATTACHMENTS;
use crate::plan::Source;

/// Writes an OCI archive to `dest`, which must not exist. It appears by one rename.
pub(crate) fn archive(
    plan: &Plan,
    source: &mut Source<'_>,
    dest: &Path,
    tag: Option<&str>,
) -> Result<(), StoreError> {
    new(dest)?;
    let partial = Partial::beside(dest)?;
    let mut tar = partial.tar()?;
    tar.file("oci-layout", MARKER)?;
    let (image, attachments) = of_archive(plan, tag)?;
    tar.file("index.json", &image)?;
    if let Some(attachments) = attachments {
        tar.file(ATTACHMENTS, &attachments)?;
    }
    let mut written = std::collections::BTreeSet::new();
    let attached = plan.attachments.iter().map(|one| &one.manifest);
    for document in plan.documents.iter().chain(attached) {
        let name = blob_name(&document.digest);
        if written.insert(name.clone()) {
            tar.file(&name, &document.bytes)?;
        }
    }
    for blob in &plan.blobs {
        let name = blob_name(&blob.digest);
        if written.insert(name.clone()) {
            source.announce(blob, false);
            tar.stream(&name, |path, writer| source.copy(blob, path, writer))?;
            source.arrived(blob);
        }
    }
    tar.finish()?;
    partial.rename_to(dest)
}
