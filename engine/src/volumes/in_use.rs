//! Which pods use a volume. What a pod's manifest names is in use as long as the pod is there: an ended one can be looked
//! into, and its volumes are what it leaves.

use std::collections::BTreeMap;
use std::fmt;

use pod::named_volumes::NamedVolumeName;
use pod::{PodName, PodUuid, PodsDir, State};
use serde::Serialize;

use crate::error::Error;
use crate::pods::uses::{InUse, Seen, look_at};

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

/// The pods that use volumes, by volume.
pub type VolumesInUse = BTreeMap<NamedVolumeName, Vec<Use>>;

/// The pods that use volumes, by volume. To be relied on, it has to be asked for while nobody else looks for a volume.
///
/// # Errors
/// If there is no telling which pods there are.
pub fn volumes_in_use(pods: &PodsDir) -> Result<InUse<VolumesInUse>, Error> {
    let mut known = VolumesInUse::new();
    let mut unreadable = Vec::new();
    for entry in pods.list()? {
        let (state, manifest) = match look_at(pods, entry)? {
            Seen::Pod(state, manifest) => (state, manifest),
            Seen::Unreadable(pod) => {
                unreadable.push(pod);
                continue;
            }
            Seen::Passing => continue,
        };
        for volume in manifest.named_volumes() {
            let users = known.entry(volume.clone()).or_default();
            // An app may mount it twice, or several do.
            if users.iter().all(|user| user.uuid != manifest.uuid) {
                users.push(Use {
                    uuid: manifest.uuid,
                    name: manifest.name.clone(),
                    state,
                });
            }
        }
    }
    Ok(InUse { known, unreadable })
}
