//! Manifests that have been read: again only when their file is another one.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pod::manifest::{App, MANIFEST_FILE, PodManifest};
use pod::{PodError, PodUuid};

use crate::error::CriError;
use crate::identity::{ContainerId, SandboxId};
use crate::journal::{self, Priority};
use crate::record::{self, ContainerRecord, SandboxRecord};

/// What the manifest of a sandbox's pod says.
#[derive(Debug)]
pub(crate) struct Known {
    /// All of it but for the texts of the records, which are kept as what they say.
    pub(crate) manifest: PodManifest,
    /// The sandbox.
    pub(crate) record: SandboxRecord,
    /// The containers, in the order of the manifest's apps; none for an app that no request has made.
    pub(crate) containers: Vec<Option<KnownContainer>>,
}

/// What it says of a container.
#[derive(Debug)]
pub(crate) struct KnownContainer {
    /// Its id.
    pub(crate) id: ContainerId,
    /// What was asked for.
    pub(crate) record: ContainerRecord,
}

/// Which file it was, and which state of it. Manifests are replaced, never written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
    changed: (i64, i64),
    size: u64,
}

/// What has been read of each pod: nothing of one that is no sandbox.
type Pods = BTreeMap<PodUuid, (Identity, Option<Arc<Known>>)>;

/// What has been read. Forgetting it costs a read, and nothing else.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    known: Mutex<Pods>,
    /// What the journal has been told of each pod whose manifest can't be read.
    complaints: Mutex<BTreeMap<PodUuid, String>>,
}

impl Cache {
    /// What the manifest of a pod says now, if the pod is a sandbox; `None` also if it is gone.
    ///
    /// # Errors
    /// If it is there and can't be read or understood: it may be a sandbox.
    pub(crate) fn read(&self, uuid: PodUuid, pod: &Path) -> Result<Option<Arc<Known>>, CriError> {
        let path = pod.join(MANIFEST_FILE);
        let identity = match fs::symlink_metadata(&path) {
            Ok(file) => Identity {
                device: file.dev(),
                inode: file.ino(),
                changed: (file.ctime(), file.ctime_nsec()),
                size: file.size(),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                let source = PodError::Io {
                    operation: "look at",
                    path,
                    source: error,
                };
                return Err(unreadable(uuid, source));
            }
        };
        if let Some((seen, known)) = self.lock().get(&uuid)
            && *seen == identity
        {
            return Ok(known.clone());
        }
        // Read outside of the lock: a slow disk keeps nobody else waiting.
        let known = match PodManifest::load(pod).and_then(|manifest| sandbox(manifest, &path)) {
            Ok(known) => known.map(Arc::new),
            // It has moved on.
            Err(PodError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                return Ok(None);
            }
            Err(error) => return Err(unreadable(uuid, error)),
        };
        self.lock().insert(uuid, (identity, known.clone()));
        Ok(known)
    }

    /// What the manifest of a pod said when it could be read last, if that is known. Says in the journal why it can't be
    /// now, once.
    pub(crate) fn last(&self, uuid: PodUuid, why: &CriError) -> Option<Arc<Known>> {
        let complaint = why.to_string();
        let told = self.complaints().insert(uuid, complaint.clone());
        if told.as_ref() != Some(&complaint) {
            journal::line(Priority::Warning, &complaint);
        }
        self.lock().get(&uuid)?.1.clone()
    }

    /// Forgets all but these.
    pub(crate) fn keep(&self, pods: &BTreeSet<PodUuid>) {
        self.lock().retain(|uuid, _| pods.contains(uuid));
        self.complaints().retain(|uuid, _| pods.contains(uuid));
    }

    fn complaints(&self) -> MutexGuard<'_, BTreeMap<PodUuid, String>> {
        self.complaints
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, Pods> {
        // Each entry is whole.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unreadable(uuid: PodUuid, source: PodError) -> CriError {
    CriError::Unreadable {
        id: SandboxId(uuid).to_string(),
        uuid,
        source,
    }
}

fn sandbox(mut manifest: PodManifest, path: &Path) -> Result<Option<Known>, PodError> {
    let damaged = |what: String| {
        move |error: serde_json::Error| PodError::Damaged {
            path: path.to_path_buf(),
            reason: format!("the request for {what} in it can't be understood: {error}"),
        }
    };
    let record = record::take(&mut manifest.annotations);
    let Some(record) = record.map_err(damaged("the sandbox".to_owned()))? else {
        return Ok(None);
    };
    let own = SandboxId(manifest.uuid);
    let known = |app: &mut App| {
        let record = record::take(&mut app.annotations);
        let record = record.map_err(damaged(format!("container {}", app.name)))?;
        let id = ContainerId::of(own, &app.name);
        Ok(record.map(|record| KnownContainer { record, id }))
    };
    let containers = manifest.apps.iter_mut().map(known);
    let containers = containers.collect::<Result<_, PodError>>()?;
    Ok(Some(Known {
        manifest,
        record,
        containers,
    }))
}
