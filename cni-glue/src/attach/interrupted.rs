//! Pods that were killed while they joined their networks.

use super::attacher::Attacher;
use crate::builtin;
use crate::error::NetworkError;
use crate::id::ContainerId;

impl Attacher {
    /// Gives back what built-in networks hold for a pod that was killed before it was known to be in them. Nothing of it runs
    /// any more. What plugins hold is remembered from before they are called: [`Self::detach`] gives that back.
    ///
    /// # Errors
    /// The first; the rest is done nevertheless, and this can be repeated.
    pub fn detach_interrupted(&self, container: &ContainerId) -> Result<(), NetworkError> {
        builtin::leave_interrupted(&self.runtime.state, container)
    }
}
