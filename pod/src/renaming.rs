//! Names that pods get and lose while they are there.

use crate::error::PodError;
use crate::id::{PodName, PodUuid};
use crate::pods_dir::PodsDir;

impl PodsDir {
    /// Gives a pod that is there another name. The one that it has it keeps until [`PodsDir::release_name`].
    ///
    /// # Errors
    /// [`PodError::NameInUse`] if a pod that still lives has it.
    pub fn claim_name(&self, name: &PodName, uuid: PodUuid) -> Result<(), PodError> {
        self.names.claim(name, uuid, |holder| self.is_live(holder))
    }

    /// Gives up a pod's name, if it has it.
    ///
    /// # Errors
    /// [`PodError::Io`] if it can't be given up.
    pub fn release_name(&self, name: &PodName, uuid: PodUuid) -> Result<(), PodError> {
        self.names.release(name, uuid)
    }
}
