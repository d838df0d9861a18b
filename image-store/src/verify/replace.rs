//! Putting repaired layers in the places of damaged ones.

use std::collections::HashMap;

use image_name::Digest;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use super::Audit;
use crate::error::StoreError;
use crate::store::{Exclusive, sync_folder};

impl Audit {
    /// Whether [`Audit::replace`] has something to do.
    #[must_use]
    pub fn has_replacements(&self) -> bool {
        !self.replacements.is_empty()
    }

    /// Puts repaired layers in place, but those that pods run with: the files of those must stay.
    /// `users` names a running pod by the diff ID of each of its layers. Nobody may start
    /// meanwhile, which is why the store has to be locked.
    ///
    /// # Errors
    /// [`ContentError::Io`](image_layer::ContentError::Io) if a layer can't be moved.
    pub fn replace(
        &mut self,
        users: &HashMap<Digest, String>,
        _alone: &Exclusive,
    ) -> Result<(), StoreError> {
        for (diff_id, folder) in std::mem::take(&mut self.replacements) {
            let finding = self.layers.entry(diff_id.clone()).or_default();
            if let Some(pod) = users.get(&diff_id) {
                let remedy =
                    format!("can't be restored while pod {pod} runs with it; stop it first");
                finding.add(&format!("layer {diff_id}"), remedy);
                continue;
            }
            let to = self.store.layer_folder(&diff_id);
            // What was there comes to the staging directory, and goes with it.
            let moved = match renameat_with(CWD, &folder, CWD, &to, RenameFlags::EXCHANGE) {
                Err(Errno::NOENT) => renameat_with(CWD, &folder, CWD, &to, RenameFlags::empty()),
                other => other,
            };
            moved.map_err(|error| StoreError::io("cannot replace", &to, error))?;
            finding.cured = finding.blob_is_sound;
        }
        sync_folder(&self.store.layers_folder())
    }
}
