//! From staged to visible: everything is on disk before the first rename, the name comes last.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Mutex;

use atomic_file::Durability;
use image_layer::ContentError;

use super::begin::Fetch;
use super::event::FetchEvent;
use super::layers::{Place, Staged, jobs, work};
use super::patience::Patience;
use crate::error::StoreError;
use crate::store::{
    Image, RefRecord, Staging, file_name, make_folder, publish, sync_file_system, sync_folder,
};

impl Fetch {
    /// Fetches and unpacks the layers that are missing, then makes the image visible. It is on
    /// disk for good when this returns. Hold a [`Pin`](crate::store::Pin) of your own if the image is to be used after.
    ///
    /// # Errors
    /// What went wrong first; nothing of the image is in the store then.
    pub fn complete(self, on_event: &mut dyn FnMut(FetchEvent)) -> Result<Image, StoreError> {
        complete(self, on_event)
    }
}

fn complete(mut fetch: Fetch, on_event: &mut dyn FnMut(FetchEvent)) -> Result<Image, StoreError> {
    let store = fetch.store.clone();
    for folder in [
        store.blobs_folder(),
        store.layers_folder(),
        store.refs_folder(),
    ] {
        make_folder(&folder)?;
    }
    let staging = store.stage()?;
    let interrupt = fetch.options.interrupt.clone();
    interrupt.staged(staging.path());
    let progress = staging.progress()?;
    let place = Place {
        staging: &staging,
        progress: &progress,
    };
    let jobs = jobs(&fetch, on_event)?;
    let outcome = match jobs.is_empty() {
        true => None,
        false => Some(work(&mut fetch, &place, jobs, None, on_event)?),
    };
    progress.all_came();
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
    sync_file_system(staging.path())?;
    let mut publishing = interrupt.publish()?;
    for (subject, found) in &fetch.signatures {
        store.add_found(subject, found)?;
    }
    if let Some(outcome) = outcome {
        publish_layers(&fetch, outcome.staged)?;
        // No lock is held from here on, so waiting for others can't block them.
        let patience = Mutex::new(Patience::new(fetch.source.place()));
        for busy in outcome.busy {
            drop(publishing);
            let late = work(&mut fetch, &place, vec![busy], Some(&patience), on_event)?;
            progress.all_came();
            if late
                .staged
                .iter()
                .any(|staged| staged.folder.is_some() || staged.blob.is_some())
            {
                sync_file_system(staging.path())?;
            }
            publishing = interrupt.publish()?;
            publish_layers(&fetch, late.staged)?;
        }
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
    store.image(&record.digest, &fetch.options.platform)
}

/// Writes manifests and configuration where they are missing; gives files and the names they get.
fn stage_documents(
    fetch: &Fetch,
    staging: &Staging,
) -> Result<Vec<(std::path::PathBuf, String)>, StoreError> {
    let config = (&fetch.manifest.config.digest, &fetch.config_bytes);
    let documents = fetch.documents.iter().map(|raw| (&raw.digest, &raw.bytes));
    let mut staged = Vec::new();
    for (digest, bytes) in documents.chain([config]) {
        // One that is there but damaged is replaced by the rename.
        if fetch.store.read_blob("blob", digest, u64::MAX - 1).is_err() {
            let name = digest.hex().to_owned();
            staged.push((staging.write(&name, bytes)?, name));
        }
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
