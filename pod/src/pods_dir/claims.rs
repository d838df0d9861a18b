//! What a pod has that no other pod has: its name, its IDs, its categories.

use super::{LockedPod, PodsDir};
use crate::error::PodError;
use crate::id::{PodName, PodUuid};
use crate::id_blocks::IdRange;
use crate::selinux::CategoryPair;

impl PodsDir {
    /// Gives up the names of pods that are gone: what a command that was killed, or a manifest that could not be read,
    /// has left.
    ///
    /// # Errors
    /// [`PodError::Io`] if a name can't be looked at or given up.
    pub fn release_stale_names(&self) -> Result<(), PodError> {
        self.names.release_all(|holder| Ok(!self.is_live(holder)?))
    }

    /// Gives up the blocks of IDs of pods that are gone.
    ///
    /// # Errors
    /// [`PodError::Io`] if a block can't be looked at or given up.
    pub fn release_stale_id_blocks(&self) -> Result<(), PodError> {
        self.id_blocks.release_all(|holder| self.is_gone(holder))
    }

    /// Gives up the categories of pods that are gone.
    ///
    /// # Errors
    /// [`PodError::Io`] if a pair can't be looked at or given up.
    pub fn release_stale_categories(&self) -> Result<(), PodError> {
        self.categories.release_all(|holder| self.is_gone(holder))
    }

    /// Looked at twice: one that could not be started goes back by a phase.
    fn is_gone(&self, uuid: PodUuid) -> Result<bool, PodError> {
        Ok(self.by_uuid(uuid)?.is_none() && self.by_uuid(uuid)?.is_none())
    }
}

impl LockedPod {
    /// Gives the pod a name.
    ///
    /// # Errors
    /// [`PodError::NameInUse`] if a pod that still lives has it.
    pub fn claim_name(&self, name: &PodName) -> Result<(), PodError> {
        self.pods
            .names
            .claim(name, self.uuid(), |holder| self.pods.is_live(holder))
    }

    /// Gives the pod a block of IDs that no other pod has. The result is its first ID. It is given up with the pod, whose
    /// manifest has to name it ([`crate::manifest::UserNamespace::of_block`]).
    ///
    /// # Errors
    /// [`PodError::NoIdBlock`] if none is free.
    pub fn claim_id_block(&self, range: IdRange) -> Result<u32, PodError> {
        self.pods.id_blocks.claim(self.uuid(), range)
    }

    /// Gives up a block that was claimed for the pod, and that its manifest does not name.
    ///
    /// # Errors
    /// [`PodError::Io`] if it can't be given up.
    pub fn release_id_block(&self, first: u32) -> Result<(), PodError> {
        self.pods.id_blocks.release(self.uuid(), first)
    }

    /// Gives the pod a pair of categories that no other pod has. It is given up with the pod, whose manifest has to name it
    /// ([`crate::manifest::PodLabels`]).
    ///
    /// # Errors
    /// [`PodError::NoCategories`] if none is free.
    pub fn claim_categories(&self) -> Result<CategoryPair, PodError> {
        self.pods.categories.claim(self.uuid())
    }

    /// Gives up a pair that was claimed for the pod, and that its manifest does not name.
    ///
    /// # Errors
    /// [`PodError::Io`] if it can't be given up.
    pub fn release_categories(&self, pair: CategoryPair) -> Result<(), PodError> {
        self.pods.categories.release(self.uuid(), pair)
    }
}
