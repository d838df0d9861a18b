//! Which pods use a volume. What a pod's manifest names is in use as long as the pod is there: an ended one can be looked
//! into, and its volumes are what it leaves.

use std::collections::BTreeMap;
use std::fmt;

use pod::manifest::PodManifest;
use pod::named_volumes::NamedVolumeName;
use pod::{Phase, PodError, PodName, PodUuid, PodsDir, State};
use serde::Serialize;

use crate::error::Error;

/// A pod that uses a volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Use {
    /// The pod.
    pub uuid: PodUuid,
    /// Its name, if it has one.
    pub name: Option<PodName>,
    /// Its state.
    pub state: State,
}

impl fmt::Display for Use {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "pod {name} ({})", self.state),
            None => write!(f, "pod {} ({})", self.uuid, self.state),
        }
    }
}

/// The pods that use volumes, by volume. To be relied on, it has to be asked for while nobody else looks for a volume.
///
/// # Errors
/// If there is no telling which pods there are, or what one that may run needs.
pub fn volumes_in_use(pods: &PodsDir) -> Result<BTreeMap<NamedVolumeName, Vec<Use>>, Error> {
    let mut uses: BTreeMap<NamedVolumeName, Vec<Use>> = BTreeMap::new();
    for entry in pods.list()? {
        let state = match entry.phase {
            Phase::Garbage => continue,
            _ => entry.state()?,
        };
        // Nobody goes on with it.
        if state == State::AbortedPrepare {
            continue;
        }
        let manifest = match PodManifest::load(&entry.path) {
            Ok(manifest) => manifest,
            Err(PodError::Io { .. }) => match pods.by_uuid(entry.uuid)? {
                // Who prepares it has not come as far as to its volumes; or it is gone.
                None => continue,
                Some(now) if matches!(now.phase, Phase::Prepare | Phase::Garbage) => continue,
                // It has moved on.
                Some(now) => PodManifest::load(&now.path)?,
            },
            // It is being written: who writes it holds on to its volumes until it is done.
            Err(PodError::Damaged { .. }) if entry.phase == Phase::Prepare => continue,
            Err(error) => return Err(error.into()),
        };
        for volume in manifest.named_volumes() {
            let users = uses.entry(volume.clone()).or_default();
            // An app may mount it twice, or several do.
            if users.iter().all(|user| user.uuid != entry.uuid) {
                users.push(Use {
                    uuid: entry.uuid,
                    name: manifest.name.clone(),
                    state,
                });
            }
        }
    }
    Ok(uses)
}
