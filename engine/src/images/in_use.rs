//! Which images pods need, and when they needed them last.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::time::SystemTime;

use image_name::{Digest, Reference};
use pod::exit::PodExit;
use pod::manifest::{CRI_ANNOTATION, ImageRecord, MountSource, PodManifest, VolumeSource};
use pod::{Phase, PodEntry, PodError, State};

use crate::engine::Engine;
use crate::error::Error;
use crate::pods::connection::live_status;
use crate::pods::uses::{InUse, Seen, look_at};
use crate::updates::records;

/// An image that a pod runs or may run.
#[derive(Debug)]
pub struct Use {
    /// Name or UUID of the pod, for messages.
    pod: String,
    /// Running or prepared.
    state: State,
    /// Whether the pod is a sandbox of a kubelet.
    pub is_sandbox: bool,
    /// The name that it was asked for by.
    pub reference: Reference,
    /// Digest of the manifest.
    pub manifest: Digest,
}

impl fmt::Display for Use {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.pod, self.state)
    }
}

/// The images of pods that run or may run.
#[derive(Debug, Default)]
pub struct ImagesInUse {
    /// Which pods use which.
    pub uses: Vec<Use>,
    /// What must stay in the store: all digests that they need, and those of images that services may have to go back to.
    pub digests: HashSet<Digest>,
}

/// The images that pods run or may run, and what must stay in the store. To be asked for while the store is locked against
/// use.
///
/// # Errors
/// If the record of updates can't be read, or there is no telling which pods there are.
pub fn images_in_use(engine: &Engine) -> Result<InUse<ImagesInUse>, Error> {
    let (pods, store) = (engine.pods(), engine.store());
    // From what a damaged name stands for nobody goes back.
    let meaning = |name: &Reference| Some(store.resolve(name).ok()??.digest);
    let kept = records::read(&engine.directories.data)?.kept(meaning);
    let mut known = ImagesInUse {
        uses: Vec::new(),
        digests: kept.into_iter().collect(),
    };
    let mut unreadable = Vec::new();
    for entry in pods.list()? {
        let (state, manifest) = match look_at(&pods, entry)? {
            // Who prepares holds a pin; what has ended needs none.
            Seen::Pod(state @ (State::Prepared | State::Running), manifest) => (state, manifest),
            Seen::Unreadable(pod) if matches!(pod.state, State::Prepared | State::Running) => {
                unreadable.push(pod);
                continue;
            }
            Seen::Pod(..) | Seen::Unreadable(_) | Seen::Passing => continue,
        };
        for image in manifest.images() {
            let signed = image.verification.signed_digest.iter();
            let of_image = image.layers.iter().chain([&image.manifest]).chain(signed);
            known.digests.extend(of_image.cloned());
            known.uses.push(Use {
                pod: called(&manifest),
                state,
                is_sandbox: manifest.annotations.contains_key(CRI_ANNOTATION),
                reference: image.reference.clone(),
                manifest: image.manifest.clone(),
            });
        }
    }
    Ok(InUse { known, unreadable })
}

/// Notes that the images of running pods are used now, and those of ended ones were when they ended:
/// a start alone says little of a pod that runs for months. A pod that can't be read tells nothing.
///
/// # Errors
/// If there is no telling which pods there are.
pub fn note_uses(engine: &Engine) -> Result<(), Error> {
    for entry in engine.pods().in_phase(Phase::Run)? {
        let (Some(time), Ok(manifest)) = (last_alive(&entry), PodManifest::load(&entry.path))
        else {
            continue;
        };
        for image in manifest.images() {
            let store = engine.store();
            if let Ok(Some(record)) = store.resolve(&image.reference)
                && record.manifest == image.manifest
            {
                store.note_use_at(&record, time);
            }
        }
    }
    Ok(())
}

fn last_alive(entry: &PodEntry) -> Option<SystemTime> {
    let now = SystemTime::now();
    match entry.state().ok()? {
        State::Running => Some(now),
        _ => {
            let exit = PodExit::load(&entry.path).ok()??;
            now.checked_sub(exit.finished.elapsed())
        }
    }
}

/// The layers that running pods have mounted, each with the name of such a pod. To be asked for while the store is locked
/// against use.
///
/// # Errors
/// If there is no telling which they are.
pub fn layers_of_running_pods(engine: &Engine) -> Result<HashMap<Digest, String>, Error> {
    let pods = engine.pods();
    let mut layers = HashMap::new();
    for entry in pods.list()? {
        if entry.phase != Phase::Run || entry.state()? != State::Running {
            continue;
        }
        let manifest = match PodManifest::load(&entry.path) {
            Ok(manifest) => manifest,
            // It has ended meanwhile, or nobody knows what it needs.
            Err(error @ PodError::Io { .. }) => match pods.by_uuid(entry.uuid)? {
                Some(now) if now.phase == Phase::Run => return Err(error.into()),
                _ => continue,
            },
            Err(error) => return Err(error.into()),
        };
        let name = called(&manifest);
        for image in mounted_images(engine, &entry, &manifest) {
            layers.extend(image.layers.iter().map(|id| (id.clone(), name.clone())));
        }
    }
    Ok(layers)
}

/// The images of which a running pod has something mounted: in a sandbox those of containers that run, since none of them
/// starts twice, or before it is judged; in any other pod all that it has.
fn mounted_images<'m>(
    engine: &Engine,
    entry: &PodEntry,
    manifest: &'m PodManifest,
) -> Vec<&'m ImageRecord> {
    let is_sandbox = manifest.annotations.contains_key(CRI_ANNOTATION);
    // One that does not answer may have anything.
    let live = match is_sandbox {
        true => live_status(entry, &engine.directories).ok().flatten(),
        false => None,
    };
    let Some(live) = live else {
        return manifest.images().collect();
    };
    let running = manifest.apps.iter().filter(|app| {
        let mut apps = live.apps.iter();
        apps.any(|other| other.name == app.name && other.pid.is_some())
    });
    let mut images = Vec::new();
    for app in running {
        images.push(&app.image);
        images.extend(app.mounts.iter().filter_map(|mount| match &mount.source {
            MountSource::Image { image, .. } => Some(&**image),
            _ => None,
        }));
    }
    if !images.is_empty() {
        let volumes = manifest.volumes.iter();
        images.extend(volumes.filter_map(|volume| match &volume.source {
            VolumeSource::Image { image } => Some(&**image),
            _ => None,
        }));
    }
    images
}

/// Its name, or else its UUID.
fn called(manifest: &PodManifest) -> String {
    match &manifest.name {
        Some(name) => name.to_string(),
        None => manifest.uuid.to_string(),
    }
}
