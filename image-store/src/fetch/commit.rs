//! From staged to visible: everything is on disk before the first rename, the name comes last.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Mutex;

use atomic_file::Durability;
use image_layer::ContentError;

use super::begin::Fetch;
use super::event::FetchEvent;
use super::layers::{Job, Place, Staged, jobs, work};
use super::patience::Patience;
use crate::error::StoreError;
use crate::store::{
    Image, Pin, RefRecord, Staging, file_name, make_folder, publish, sync_file_system, sync_folder,
};

impl Fetch {
    /// Fetches and unpacks the layers that are missing, then makes the image visible. It is on
    /// disk for good when this returns, and stays as long as the pin, if not for its name.
    ///
    /// # Errors
    /// What went wrong first; nothing of the image is in the store then.
    pub fn complete(
        self,
        on_event: &mut dyn FnMut(FetchEvent),
    ) -> Result<(Image, Pin), StoreError> {
        complete(self, on_event)
    }
}

fn complete(
    mut fetch: Fetch,
    on_event: &mut dyn FnMut(FetchEvent),
) -> Result<(Image, Pin), StoreError> {
    let store = fetch.store.clone();
    for folder in [
        store.blobs_folder(),
        store.layers_folder(),
        store.refs_folder(),
    ] {
        make_folder(&folder)?;
    }
    let staging = store.stage()?;
    fetch.options.interrupt.staged(staging.path());
    let progress = staging.progress()?;
    let place = Place {
        staging: &staging,
        progress: &progress,
    };
    let documents = stage_documents(&fetch, &staging)?;
    let record = RefRecord::new(
        fetch.reference.clone(),
        fetch
            .chain
            .first()
            .unwrap_or(fetch.manifest_digest())
            .clone(),
        fetch.manifest_digest().clone(),
        fetch.source.to_string(),
    );
    let staged_record = staging.write("record", &record.to_bytes())?;
    let jobs = jobs(&fetch, on_event)?;
    let first = stage_and_publish(&mut fetch, &place, jobs, None, on_event)?;
    let mut is_on_disk = first.is_on_disk;
    // No lock is held from here on, so waiting for others can't block them.
    let patience = Mutex::new(Patience::new(fetch.source.place()));
    for busy in first.busy {
        let late = stage_and_publish(&mut fetch, &place, vec![busy], Some(&patience), on_event)?;
        is_on_disk |= late.is_on_disk;
    }
    if !is_on_disk {
        sync_file_system(staging.path())?;
    }
    let pin = store.pin()?;
    fetch_again(&mut fetch, &patience, on_event)?;
    let publishing = fetch.options.interrupt.publish()?;
    for (subject, found) in &fetch.signatures {
        store.add_found(subject, found)?;
    }
    for (from, name) in &documents {
        offer(from, &store.blobs_folder().join(name))?;
    }
    sync_folder(&store.layers_folder())?;
    sync_folder(&store.blobs_folder())?;
    let to = store.refs_folder().join(file_name(&fetch.reference));
    // All is on the disk already, the record too.
    publish(&staged_record, &to, Durability::Visible)?;
    sync_folder(&store.refs_folder())?;
    drop(publishing);
    // The record was written when the layers had yet to come.
    store.note_use(&record);
    Ok((store.image(&record.digest, &fetch.options.platform)?, pin))
}

/// Gets those layers once more that a collection has taken meanwhile: no name led to them yet. The caller holds a pin.
fn fetch_again(
    fetch: &mut Fetch,
    patience: &Mutex<Patience>,
    on_event: &mut dyn FnMut(FetchEvent),
) -> Result<(), StoreError> {
    let missing = jobs(fetch, &mut |_| ())?;
    if missing.is_empty() {
        return Ok(());
    }
    let staging = fetch.store.stage()?;
    fetch.options.interrupt.staged(staging.path());
    let place = Place {
        staging: &staging,
        progress: &staging.progress()?,
    };
    stage_and_publish(fetch, &place, missing, Some(patience), on_event)?;
    Ok(())
}

/// What came of one go over layers.
struct Round {
    /// Those that others work on; none if there was patience to wait for them.
    busy: Vec<Job>,
    /// Whether all that was staged before is on the disk now.
    is_on_disk: bool,
}

/// Stages layers, and makes them visible once they are on the disk.
fn stage_and_publish(
    fetch: &mut Fetch,
    place: &Place<'_>,
    jobs: Vec<Job>,
    patience: Option<&Mutex<Patience>>,
    on_event: &mut dyn FnMut(FetchEvent),
) -> Result<Round, StoreError> {
    if jobs.is_empty() {
        return Ok(Round {
            busy: jobs,
            is_on_disk: false,
        });
    }
    let outcome = work(fetch, place, jobs, patience, on_event)?;
    place.progress.all_came();
    let is_new = |staged: &Staged| staged.folder.is_some() || staged.blob.is_some();
    let is_on_disk = outcome.staged.iter().any(is_new);
    if is_on_disk {
        sync_file_system(place.staging.path())?;
        // Nobody is to collect what is being renamed.
        let _pin = fetch.store.pin()?;
        let _publishing = fetch.options.interrupt.publish()?;
        publish_layers(fetch, outcome.staged)?;
    }
    Ok(Round {
        busy: outcome.busy,
        is_on_disk,
    })
}

/// Writes manifests and configuration; gives files and the names they get. One that is there is replaced: it may be
/// damaged, or gone by then.
fn stage_documents(
    fetch: &Fetch,
    staging: &Staging,
) -> Result<Vec<(std::path::PathBuf, String)>, StoreError> {
    let config = (&fetch.manifest.config.digest, &fetch.config_bytes);
    let documents = fetch.documents.iter().map(|raw| (&raw.digest, &raw.bytes));
    let mut staged = Vec::new();
    for (digest, bytes) in documents.chain([config]) {
        let name = digest.hex().to_owned();
        staged.push((staging.write(&name, bytes)?, name));
    }
    Ok(staged)
}

fn publish_layers(fetch: &Fetch, staged: Vec<Staged>) -> Result<(), StoreError> {
    for Staged {
        job,
        folder,
        blob,
        lock,
    } in staged
    {
        if let Some(blob) = blob {
            offer(&blob, &fetch.store.blob_path(&job.descriptor.digest))?;
        }
        if let Some(folder) = folder {
            let to = fetch.store.layer_folder(&job.diff_id);
            // In this order: another may publish the layer between the two looks.
            if to.exists() && !fetch.store.has_layer(&job.diff_id)? {
                // Somebody has been at the store: a layer directory without its tree.
                fs::remove_dir_all(&to).map_err(|e| StoreError::io("cannot remove", &to, e))?;
            }
            offer(&folder, &to)?;
        }
        // Only now may another look whether the layer is there.
        drop(lock);
    }
    Ok(())
}

/// Makes a staged thing visible. If another was first, its copy is as good: both were proven.
fn offer(from: &Path, to: &Path) -> Result<(), StoreError> {
    match publish(from, to, Durability::Visible) {
        Err(StoreError::Content(ContentError::Io { error, .. }))
            if matches!(
                error.kind(),
                ErrorKind::DirectoryNotEmpty | ErrorKind::AlreadyExists
            ) =>
        {
            Ok(())
        }
        other => other,
    }
}
