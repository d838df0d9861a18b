//! What pods use, looked at while others make, start and remove them.

use std::io::ErrorKind;

use pod::manifest::PodManifest;
use pod::{Phase, PodEntry, PodError, PodsDir, State};

use crate::error::{Error, UnreadablePod};

/// How often a pod is followed that moves on while it is looked at.
const MOVES_MAX: usize = 8;

/// What pods use, as far as they tell.
#[derive(Debug)]
pub struct InUse<T> {
    /// What those use that tell.
    pub known: T,
    /// Those that do not.
    pub unreadable: Vec<UnreadablePod>,
}

impl<T> InUse<T> {
    /// All that is in use: to be relied on by who removes what is not.
    ///
    /// # Errors
    /// [`Error::Unreadable`] if a pod uses something and nobody can tell what. One that was never started, and can't
    /// be, uses nothing.
    pub fn all(self) -> Result<T, Error> {
        let mut unreadable = self.unreadable.into_iter();
        match unreadable.find(|pod| !could_never_start(pod)) {
            Some(pod) => Err(Error::Unreadable(Box::new(pod))),
            None => Ok(self.known),
        }
    }
}

/// What there is of a pod.
pub(crate) enum Seen {
    /// It, as it is now.
    Pod(State, Box<PodManifest>),
    /// It is there, and does not tell what it is.
    Unreadable(UnreadablePod),
    /// It is gone, or on its way: to begin with, or out.
    Passing,
}

/// Looks at a pod that was seen, wherever it has got to meanwhile.
pub(crate) fn look_at(pods: &PodsDir, mut entry: PodEntry) -> Result<Seen, Error> {
    for _ in 0..MOVES_MAX {
        let state = entry.state()?;
        let reason = match PodManifest::load(&entry.path) {
            _ if entry.phase == Phase::Garbage || state == State::AbortedPrepare => break,
            Ok(manifest) => return Ok(Seen::Pod(state, Box::new(manifest))),
            Err(reason) => reason,
        };
        match pods.by_uuid(entry.uuid)? {
            None => break,
            Some(now) if is_missing(&reason) && now.phase != entry.phase => entry = now,
            // It is being written: who writes it holds on to what it will use.
            Some(_) if entry.phase == Phase::Prepare => break,
            Some(_) => {
                let uuid = entry.uuid;
                return Ok(Seen::Unreadable(UnreadablePod {
                    uuid,
                    state,
                    reason,
                }));
            }
        }
    }
    Ok(Seen::Passing)
}

/// Whether a pod can never be started, whoever tries.
pub(crate) fn is_beyond_start(entry: &PodEntry) -> bool {
    PodManifest::load(&entry.path).is_err_and(|error| is_broken(&error))
}

/// The same of one that has been looked at.
fn could_never_start(pod: &UnreadablePod) -> bool {
    pod.state == State::Prepared && is_broken(&pod.reason)
}

fn is_broken(error: &PodError) -> bool {
    matches!(error, PodError::Damaged { .. })
}

fn is_missing(error: &PodError) -> bool {
    matches!(error, PodError::Io { source, .. } if source.kind() == ErrorKind::NotFound)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use pod::{LockedPod, PodUuid};

    use super::*;
    use crate::volumes::in_use::volumes_in_use;

    const MANIFEST: &str = include_str!("../../../pod/src/manifest/data/every-field.json");

    /// A pod in a phase, whose manifest says this.
    fn pod(pods: &PodsDir, phase: Phase, manifest: &str) -> LockedPod {
        let mut pod = pods.create(PodUuid::random()).unwrap();
        fs::write(pod.path().join("pod.json"), manifest).unwrap();
        pod.move_to(phase).unwrap();
        pod
    }

    fn all(pods: &PodsDir) -> Result<usize, Error> {
        Ok(volumes_in_use(pods)?.all()?.len())
    }

    #[test]
    fn one_that_can_not_be_read_hides_no_other_and_lets_nothing_be_removed() {
        let dir = tempfile::tempdir().unwrap();
        let pods = PodsDir::new(dir.path());
        let _whole = pod(&pods, Phase::Run, MANIFEST);
        let used = all(&pods).unwrap();
        assert!(used > 0);
        for is_held in [true, false] {
            let broken = pod(&pods, Phase::Run, "");
            let entry = pods.by_uuid(broken.uuid()).unwrap().unwrap();
            let held = is_held.then_some(broken);
            let in_use = volumes_in_use(&pods).unwrap();
            assert_eq!((in_use.known.len(), in_use.unreadable.len()), (used, 1));
            let error = in_use.all().unwrap_err().to_string();
            assert!(error.contains("pod.json is damaged"), "{error}");
            drop(held);
            pods.lock(&entry).unwrap().remove().unwrap();
        }
        assert_eq!(all(&pods).unwrap(), used);
    }

    #[test]
    fn what_can_never_be_started_uses_nothing_and_a_later_release_may_start_the_rest() {
        let dir = tempfile::tempdir().unwrap();
        let pods = PodsDir::new(dir.path());
        let broken = pod(&pods, Phase::Prepared, "{");
        // It is being written.
        let _begun = pod(&pods, Phase::Prepare, "{");
        assert_eq!(all(&pods).unwrap(), 0);
        let entry = pods.by_uuid(broken.uuid()).unwrap().unwrap();
        assert!(is_beyond_start(&entry));
        let later = pod(&pods, Phase::Prepared, r#"{"version": 999}"#);
        assert!(matches!(all(&pods), Err(Error::Unreadable(_))));
        let entry = pods.by_uuid(later.uuid()).unwrap().unwrap();
        assert!(!is_beyond_start(&entry));
    }

    #[test]
    fn one_that_moves_on_is_looked_at_where_it_is_now() {
        let dir = tempfile::tempdir().unwrap();
        let pods = PodsDir::new(dir.path());
        let mut moving = pod(&pods, Phase::Prepared, MANIFEST);
        let seen = pods.by_uuid(moving.uuid()).unwrap().unwrap();
        moving.move_to(Phase::Run).unwrap();
        let found = look_at(&pods, seen.clone()).unwrap();
        assert!(matches!(found, Seen::Pod(State::Running, _)));
        moving.remove().unwrap();
        assert!(matches!(look_at(&pods, seen).unwrap(), Seen::Passing));
    }
}
