//! An OCI layout as a tar file.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use image_document::Plan;

use super::index::of_archive;
use super::names::{MARKER, blob_name, new};
use crate::error::StoreError;
use crate::layout::ATTACHMENTS;
use crate::partial::Partial;
use crate::plan::Source;
use crate::tar_writer::TarWriter;

/// Writes an OCI archive to `dest`, which must not exist. It appears by one rename.
pub(crate) fn archive(
    plan: &Plan,
    source: &mut Source<'_>,
    dest: &Path,
    tag: Option<&str>,
) -> Result<(), StoreError> {
    let mut archive = ArchiveWriter::begin(dest, &[plan], tag)?;
    archive.add(plan, source)?;
    archive.finish()
}

/// The archive on its way. It appears at its destination when it is finished.
pub(crate) struct ArchiveWriter {
    partial: Partial,
    tar: TarWriter<BufWriter<File>>,
    /// The files that are there: images may share layers.
    written: BTreeSet<String>,
}

impl ArchiveWriter {
    /// Begins an archive of these images, each of which is to be added; `dest` must not exist.
    pub(crate) fn begin(
        dest: &Path,
        plans: &[&Plan],
        tag: Option<&str>,
    ) -> Result<Self, StoreError> {
        new(dest)?;
        let mut partial = Partial::beside(dest)?;
        let mut tar = partial.tar()?;
        tar.file("oci-layout", MARKER)?;
        let (images, attachments) = of_archive(plans, tag)?;
        tar.file("index.json", &images)?;
        if let Some(attachments) = attachments {
            tar.file(ATTACHMENTS, &attachments)?;
        }
        Ok(Self {
            partial,
            tar,
            written: BTreeSet::new(),
        })
    }

    /// Adds what belongs to one of them.
    pub(crate) fn add(&mut self, plan: &Plan, source: &mut Source<'_>) -> Result<(), StoreError> {
        let attached = plan.attachments.iter().map(|one| &one.manifest);
        for document in plan.documents.iter().chain(attached) {
            let name = blob_name(&document.digest);
            if self.written.insert(name.clone()) {
                self.tar.file(&name, &document.bytes)?;
            }
        }
        for blob in &plan.blobs {
            let name = blob_name(&blob.digest);
            if self.written.insert(name.clone()) {
                source.announce(blob, false);
                self.tar
                    .stream(&name, |path, writer| source.copy(blob, path, writer))?;
                source.arrived(blob);
            }
        }
        Ok(())
    }

    /// Takes it to its destination.
    pub(crate) fn finish(self) -> Result<(), StoreError> {
        self.tar.finish()?;
        self.partial.finish()
    }
}
