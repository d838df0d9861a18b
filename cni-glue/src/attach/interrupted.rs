//! Pods that were killed while they joined their networks.

use super::attacher::Attacher;
use super::gc::UNFINISHED;
use crate::builtin;
use crate::error::NetworkError;
use crate::id::ContainerId;
use crate::record;

impl Attacher {
    /// Gives back what built-in networks hold for a pod that was killed before it was known to be in them. Nothing of it runs
    /// any more. What plugins hold is remembered from before they are called: [`Self::detach`] gives that back.
    ///
    /// # Errors
    /// The first; the rest is done nevertheless, and this can be repeated.
    pub fn detach_interrupted(&self, container: &ContainerId) -> Result<(), NetworkError> {
        let state = &self.runtime.state;
        let left = builtin::leave_interrupted(state, container);
        let results = state.join("results");
        let of_pod = format!("-{container}-");
        for name in record::names(&results)? {
            if name.ends_with(UNFINISHED) && name.contains(&of_pod) {
                record::remove(&results.join(name))?;
            }
        }
        left
    }
}
