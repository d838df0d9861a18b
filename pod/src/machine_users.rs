//! Users as whom the programs run that run virtual machines: one symbolic link for each that a pod has, among those of
//! blocks of IDs ([`crate::id_blocks`]).
//!
//! No process of another pod, and none of the host's users, is the same one, so that none can signal such a program or look
//! into it.

use std::path::{Path, PathBuf};

use crate::error::PodError;
use crate::holder_link::{claim, is_holder, release};
use crate::id::PodUuid;
use crate::id_blocks::{DIRECTORY, IDS_END};

/// Behind all that hosts and pods use: blocks of pods, and foreign images of systemd, which end right before it.
const FIRST: u32 = IDS_END;
/// The last ID below 2³¹, which some programs take for -1, is none of them.
const COUNT: u32 = 65_535;

/// Which pods have which of these users.
#[derive(Debug, Clone)]
pub struct MachineUsers {
    dir: PathBuf,
}

impl MachineUsers {
    /// Those of the pods below a data directory. Nothing is created.
    pub fn new(data_dir: &Path) -> Self {
        Self {
            dir: data_dir.join(DIRECTORY),
        }
    }

    /// Gives a user to a pod, whose ID is that of its group, too: the one that it has, if it has one. It is given up by
    /// [`release`](Self::release), or else by `gc` when the pod is gone.
    ///
    /// # Errors
    /// [`PodError::NoMachineUser`] if all are in use.
    pub fn claim(&self, uuid: PodUuid) -> Result<u32, PodError> {
        let start = uuid.spread(COUNT);
        for number in (start..COUNT).chain(0..start) {
            let id = FIRST + number;
            let link = self.link(id);
            if claim(&link, uuid)? || is_holder(&link, uuid)? {
                return Ok(id);
            }
        }
        Err(PodError::NoMachineUser)
    }

    /// Gives up a user that belongs to this pod.
    ///
    /// # Errors
    /// [`PodError::Io`] if the link can't be removed.
    pub fn release(&self, uuid: PodUuid, id: u32) -> Result<(), PodError> {
        release(&self.link(id), uuid)
    }

    fn link(&self, id: u32) -> PathBuf {
        self.dir.join(id.to_string())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::id_blocks::IdRange;
    use crate::manifest::BLOCK_SIZE;

    #[test]
    fn each_pod_has_a_user_that_nobody_else_has() {
        let dir = tempfile::tempdir().unwrap();
        let users = MachineUsers::new(dir.path());
        let pods: Vec<_> = (0..500).map(|_| PodUuid::random()).collect();
        let ids: Vec<_> = pods.iter().map(|pod| users.claim(*pod).unwrap()).collect();
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 500);
        let (pod, id) = (pods[0], ids[0]);
        assert_eq!(users.claim(pod).unwrap(), id, "it has one");
        users.release(pods[1], id).unwrap();
        assert_eq!(users.claim(pod).unwrap(), id, "only its pod gives it up");
        users.release(pod, id).unwrap();
        assert!(!users.link(id).exists() && !users.link(id).is_symlink());
    }

    #[test]
    fn they_lie_behind_the_blocks_of_pods_and_below_what_is_negative_to_some() {
        let range = IdRange::DEFAULT;
        let last = range.last();
        assert!(FIRST > last + BLOCK_SIZE, "{last}");
        assert!(FIRST + COUNT - 1 < i32::MAX.cast_unsigned());
    }
}
