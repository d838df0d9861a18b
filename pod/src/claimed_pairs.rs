//! Pairs of categories for pods: one symbolic link in `selinux/` for each pair that is in use, whose target is the pod's
//! UUID, as with blocks of IDs ([`crate::id_blocks`]).

use std::path::PathBuf;

use crate::error::PodError;
use crate::holder_link::{claim, release, release_all};
use crate::id::PodUuid;
use crate::selinux::CategoryPair;

/// The directory of pairs that are in use.
#[derive(Debug, Clone)]
pub(crate) struct ClaimedPairs {
    dir: PathBuf,
}

impl ClaimedPairs {
    pub(crate) fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    fn link(&self, pair: CategoryPair) -> PathBuf {
        self.dir.join(pair.to_string())
    }

    /// Gives a pair to a pod.
    pub(crate) fn claim(&self, uuid: PodUuid) -> Result<CategoryPair, PodError> {
        for pair in CategoryPair::all(uuid) {
            if claim(&self.link(pair), uuid)? {
                return Ok(pair);
            }
        }
        Err(PodError::NoCategories)
    }

    /// Gives up a pair that belongs to this pod, which must still have a directory: so nobody else gives it up.
    pub(crate) fn release(&self, uuid: PodUuid, pair: CategoryPair) -> Result<(), PodError> {
        release(&self.link(pair), uuid)
    }

    /// Gives up all pairs whose pods are gone, as `is_gone` says. One command at a time does.
    pub(crate) fn release_all(
        &self,
        is_gone: impl Fn(PodUuid) -> Result<bool, PodError>,
    ) -> Result<(), PodError> {
        release_all(&self.dir, is_gone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn pairs() -> (tempfile::TempDir, ClaimedPairs) {
        let dir = tempfile::tempdir().unwrap();
        let pairs = ClaimedPairs::new(dir.path().join("selinux"));
        (dir, pairs)
    }

    #[test]
    fn two_hundred_pods_at_once_get_two_hundred_pairs() {
        let (_dir, pairs) = pairs();
        let given: Vec<CategoryPair> = std::thread::scope(|scope| {
            let pods: Vec<_> = (0..200)
                .map(|_| scope.spawn(|| pairs.claim(PodUuid::random()).unwrap()))
                .collect();
            pods.into_iter().map(|pod| pod.join().unwrap()).collect()
        });
        let different: BTreeSet<String> = given.iter().map(ToString::to_string).collect();
        assert_eq!(different.len(), 200);
    }

    #[test]
    fn a_pair_is_one_pods_until_it_or_gc_gives_it_up() {
        let (_dir, pairs) = pairs();
        pairs.release_all(|_| Ok(true)).unwrap();
        let (one, other) = (PodUuid::random(), PodUuid::random());
        let pair = pairs.claim(one).unwrap();
        // The same pod would try the same pair first.
        assert_ne!(pairs.claim(one).unwrap(), pair);
        pairs.release(other, pair).unwrap();
        assert_ne!(pairs.claim(one).unwrap(), pair);
        pairs.release(one, pair).unwrap();
        pairs.release(one, pair).unwrap();
        assert_eq!(pairs.claim(one).unwrap(), pair);
        pairs.release_all(|uuid| Ok(uuid == other)).unwrap();
        assert_ne!(pairs.claim(one).unwrap(), pair);
        pairs.release_all(|uuid| Ok(uuid == one)).unwrap();
        assert_eq!(pairs.claim(one).unwrap(), pair);
    }
}
