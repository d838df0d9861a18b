//! A pod that an earlier call prepared: its images are judged once more before it starts.

use pod::activation::ActivationSockets;
use pod::manifest::{ImageRecord, MANIFEST_FILE, MountSource, PodManifest, Streams, VolumeSource};
use pod::{Phase, PodEntry, record};
use systemd::ServiceManager;

use super::activation;
use super::by_manager::ByManager;
use super::folder::image_record;
use super::machine;
use super::oom_score::warn_if_clamped;
use super::prepare::Prepared;
use super::traceable;
use super::widened::warn_of_all;
use crate::engine::Engine;
use crate::error::Error;
use crate::isolators::find as isolator;
use crate::observer::Observer;
use crate::policy::verifier::{RunnableImage, Verifier};
use crate::volumes::require;

/// What is asked of a prepared pod when it starts.
#[derive(Debug, Clone, Copy)]
pub struct Resumption<'a> {
    /// Where its output goes.
    pub streams: Streams,
    /// Whether it goes away when it has ended.
    pub remove_on_exit: bool,
    /// The service manager that starts it, if one does.
    pub manager: Option<&'a ServiceManager>,
}

/// Judges the images of a prepared pod by the policy of now, and takes the pod to be started with these sockets. It
/// stays as it is if that fails.
///
/// # Errors
/// What stands in the way.
pub fn resume(
    engine: &Engine,
    entry: &PodEntry,
    asked: Resumption<'_>,
    sockets: &ActivationSockets,
    observer: &dyn Observer,
) -> Result<Prepared, Error> {
    if entry.phase != Phase::Prepared {
        return Err(Error::State {
            uuid: entry.uuid,
            operation: "started",
            state: entry.state()?,
        });
    }
    let pod = engine.pods().lock(entry)?;
    let mut manifest = PodManifest::load(pod.path())?;
    let mut stage1 = isolator::of_pod(&manifest.stage1, &engine.directories)?;
    let by_manager = ByManager::of(Some(asked.manager.unwrap_or(&ServiceManager::default())))?;
    for app in manifest.apps.iter_mut() {
        by_manager.renew(app, &manifest.volumes)?;
    }
    stage1.require_for(&manifest)?;
    let pin = engine.store().pin()?;
    let verifier = Verifier::new(engine, observer)?;
    if let Some(image) = &manifest.stage1.image {
        stage1 = isolator::of_image(&judge(engine, &verifier, image)?)?;
    }
    activation::check(sockets, &manifest, &stage1, observer)?;
    traceable::warn_where_it_is(observer);
    let is_kept = !asked.remove_on_exit;
    for app in manifest.apps.iter_mut() {
        let image = judge(engine, &verifier, &app.image)?;
        image.warn_if_unsigned(observer);
        app.image = image_record(&image);
        app.image.filesystem = machine::filesystem(&stage1, &image, is_kept, engine)?;
        app.insecure_options = engine.insecure.clone();
    }
    warn_of_all(&manifest, &stage1, observer);
    for app in &manifest.apps {
        warn_if_clamped(app, &manifest, observer);
    }
    for record in mounted_images(&mut manifest) {
        let image = judge(engine, &verifier, record)?;
        image.warn_if_unsigned(observer);
        *record = image_record(&image);
    }
    let volumes = require(engine, &manifest)?;
    manifest.streams = asked.streams;
    manifest.remove_on_exit = asked.remove_on_exit;
    manifest.insecure_options = engine.insecure.clone();
    record::replace(&pod.path().join(MANIFEST_FILE), &manifest)?;
    Ok(Prepared {
        pod,
        stage1,
        pin,
        volumes,
    })
}

/// The images of a pod whose files are mounted.
fn mounted_images(manifest: &mut PodManifest) -> impl Iterator<Item = &mut ImageRecord> {
    let volumes = manifest.volumes.iter_mut();
    let of_pod = volumes.filter_map(|volume| match &mut volume.source {
        VolumeSource::Image { image } => Some(&mut **image),
        _ => None,
    });
    let mounts = manifest.apps.iter_mut().flat_map(|app| &mut app.mounts);
    of_pod.chain(mounts.filter_map(|mount| match &mut mount.source {
        MountSource::Image { image, .. } => Some(&mut **image),
        _ => None,
    }))
}

/// Judges the image that the pod was prepared from, which the name may no longer stand for.
pub(super) fn judge(
    engine: &Engine,
    verifier: &Verifier<'_>,
    prepared: &ImageRecord,
) -> Result<RunnableImage, Error> {
    let store = engine.store();
    let named = store.resolve(&prepared.reference)?;
    let top = match (named, &prepared.verification.signed_digest) {
        (Some(record), _) if record.manifest == prepared.manifest => {
            store.note_use(&record);
            record.digest
        }
        // The index, if that is what was signed.
        (_, Some(signed)) => signed.clone(),
        (_, None) => prepared.manifest.clone(),
    };
    let image = verifier.at_start(&prepared.reference, &top)?;
    if *image.image().manifest_digest() == prepared.manifest {
        return Ok(image);
    }
    Err(Error::OtherImage {
        reference: prepared.reference.to_string(),
        now: image.image().manifest_digest().to_string(),
        prepared: prepared.manifest.to_string(),
    })
}
