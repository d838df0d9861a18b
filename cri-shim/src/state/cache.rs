//! Manifests that have been read: again only when their file is another one.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pod::PodUuid;
use pod::manifest::{App, MANIFEST_FILE, PodManifest};

use crate::error::CriError;
use crate::identity::{ContainerId, SandboxId};
use crate::record::{self, ContainerRecord, SandboxRecord};

/// What the manifest of a sandbox's pod says.
#[derive(Debug)]
pub(crate) struct Known {
    /// All of it.
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
}

impl Cache {
    /// What the manifest of a pod says now, if the pod is a sandbox; `None` also if it is gone.
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
            Err(error) => return Err(CriError::io(format!("look at {}", path.display()))(error)),
        };
        if let Some((seen, known)) = self.lock().get(&uuid)
            && *seen == identity
        {
            return Ok(known.clone());
        }
        // Read outside of the lock: a slow disk keeps nobody else waiting.
        let known = match PodManifest::load(pod) {
            Ok(manifest) => sandbox(manifest).map(Arc::new),
            // It has moved on, or it is another release's: no sandbox of ours.
            Err(_) => return Ok(None),
        };
        self.lock().insert(uuid, (identity, known.clone()));
        Ok(known)
    }

    /// Forgets all but these.
    pub(crate) fn keep(&self, pods: &BTreeSet<PodUuid>) {
        self.lock().retain(|uuid, _| pods.contains(uuid));
    }

    fn lock(&self) -> MutexGuard<'_, Pods> {
        // Each entry is whole.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn sandbox(manifest: PodManifest) -> Option<Known> {
    let record = record::read(&manifest.annotations)?;
    let own = SandboxId(manifest.uuid);
    let known = |app: &App| {
        Some(KnownContainer {
            record: record::read(&app.annotations)?,
            id: ContainerId::of(own, &app.name),
        })
    };
    let containers = manifest.apps.iter().map(known).collect();
    Some(Known {
        manifest,
        record,
        containers,
    })
}
