//! Names that pods get and lose while they are there.

use std::fs::File;
use std::io;

use nix::errno::Errno;
use rustix::fs::FlockOperation;

use crate::error::PodError;
use crate::id::{PodName, PodUuid};
use crate::lock::lock_path;
use crate::manifest::PodManifest;
use crate::phase::Phase;
use crate::pods_dir::{PodEntry, PodsDir};

/// The turn to change a pod's name: nobody else does for as long as it is kept.
#[derive(Debug)]
pub struct NameTurn {
    // flock(2) on the pod's directory: it stays with the pod when that moves on, and goes with the process.
    _lock: File,
}

impl PodsDir {
    /// Waits for the turn to change this pod's name. What it is called is to be read afterwards.
    ///
    /// # Errors
    /// If the pod is gone from where it was seen.
    pub fn take_name_turn(&self, entry: &PodEntry) -> Result<NameTurn, PodError> {
        match lock_path(&entry.path, FlockOperation::LockExclusive) {
            Ok(lock) => Ok(NameTurn { _lock: lock }),
            Err(PodError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                Err(PodError::NoSuchPod(entry.uuid.to_string()))
            }
            Err(error) => Err(error),
        }
    }

    /// Gives a pod that is there another name. The one that it has it keeps until [`PodsDir::release_name`].
    ///
    /// # Errors
    /// [`PodError::NameInUse`] if another pod that still lives has it.
    pub fn claim_name(&self, name: &PodName, uuid: PodUuid) -> Result<(), PodError> {
        // What leads to the pod itself, somebody has left who was killed while he renamed it.
        let is_anothers = |holder| Ok(holder != uuid && self.is_live(holder)?);
        self.names.claim(name, uuid, is_anothers)
    }

    /// Gives up a pod's name, if it has it.
    ///
    /// # Errors
    /// [`PodError::Io`] if it can't be given up.
    pub fn release_name(&self, name: &PodName, uuid: PodUuid) -> Result<(), PodError> {
        self.names.release(name, uuid)
    }

    /// Gives up those names that lead to pods which are called otherwise: what a `rename` that was killed has left. A pod
    /// that is being renamed has two for a moment.
    ///
    /// # Errors
    /// [`PodError::Io`] if a name can't be looked at or given up.
    pub fn release_former_names(&self) -> Result<(), PodError> {
        for (name, uuid) in self.names.all()? {
            let Some(entry) = self.by_uuid(uuid)? else {
                continue;
            };
            // One that is made just now writes first what it is called.
            if !matches!(entry.phase, Phase::Prepared | Phase::Run) {
                continue;
            }
            let _turn = match lock_path(&entry.path, FlockOperation::NonBlockingLockExclusive) {
                Ok(lock) => lock,
                Err(PodError::Io { source, .. })
                    if source.kind() == io::ErrorKind::NotFound
                        || source.raw_os_error() == Some(Errno::EWOULDBLOCK as i32) =>
                {
                    continue;
                }
                Err(error) => return Err(error),
            };
            // One that can't be read may have any name.
            if let Ok(manifest) = PodManifest::load(&entry.path)
                && manifest.name.as_ref() != Some(&name)
            {
                self.names.release(&name, uuid)?;
            }
        }
        Ok(())
    }
}
