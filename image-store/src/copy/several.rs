//! Several images of the store in one file.

use std::path::Path;

use super::options::Copied;
use super::outgoing::Outgoing;
use crate::error::StoreError;
use crate::export::{ArchiveWriter, DockerWriter};
use crate::fetch::FetchEvent;
use crate::plan::{self, Source};

/// Writes a docker archive of images of the store, which must not exist; it appears by one rename when it is complete. What
/// they share is there once.
///
/// # Errors
/// As [`Outgoing::export`].
pub fn save_docker_archive(
    images: &[Outgoing],
    dest: &Path,
    on_event: &mut dyn FnMut(FetchEvent),
) -> Result<Vec<Copied>, StoreError> {
    let mut archive = DockerWriter::begin(dest)?;
    let mut all = Vec::with_capacity(images.len());
    for image in images {
        let (mut origin, plan) = image.plan_of_platform()?;
        let mut source = Source::new(&mut origin, image.store(), on_event);
        archive.add(&plan, &mut source, None)?;
        all.push(Copied::of(plan));
    }
    archive.finish()?;
    Ok(all)
}

/// As [`save_docker_archive`], an OCI archive, with the signatures of the images.
///
/// # Errors
/// As [`Outgoing::export`].
pub fn save_oci_archive(
    images: &[Outgoing],
    dest: &Path,
    on_event: &mut dyn FnMut(FetchEvent),
) -> Result<Vec<Copied>, StoreError> {
    let mut planned = Vec::with_capacity(images.len());
    for image in images {
        planned.push((image.store(), image.plan_of_all()?));
    }
    let plans: Vec<_> = planned.iter().map(|(_, (_, plan))| plan).collect();
    let mut archive = ArchiveWriter::begin(dest, &plans, None)?;
    for (store, (origin, plan)) in &mut planned {
        let mut source = Source::new(origin, store, on_event);
        archive.add(plan, &mut source)?;
    }
    archive.finish()?;
    let copied = planned.into_iter().map(|(_, (_, plan))| {
        let note = plan::layout_note(&plan);
        let mut copied = Copied::of(plan);
        copied.notes.extend(note);
        copied
    });
    Ok(copied.collect())
}
