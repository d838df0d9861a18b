//! Layers in which a start has found damage: noted beside their trees, so that the next fetch looks at every byte. The note
//! goes with the layer, or when that is as it should be again.

use std::fs::{self, File};

use image_layer::ContentError;
use image_name::Digest;

use super::Store;
use crate::error::StoreError;

/// The file beside the tree that says so.
pub(crate) const DAMAGED: &str = "damaged";

impl Store {
    /// Notes of which layer a check has said that it is not as it was unpacked. Where nothing can be written, the next start
    /// finds it again.
    pub fn note_damage(&self, found: &StoreError) {
        if let StoreError::Content(
            ContentError::LayerChanged { diff_id, .. } | ContentError::Unsealed { diff_id, .. },
        ) = found
        {
            let _ = File::create(self.layer_folder(diff_id).join(DAMAGED));
        }
    }

    /// Whether damage of a layer was noted.
    #[must_use]
    pub fn is_noted_as_damaged(&self, diff_id: &Digest) -> bool {
        self.layer_folder(diff_id).join(DAMAGED).exists()
    }

    /// Takes the note back, of a layer of which every byte was looked at.
    pub(crate) fn forget_damage(&self, diff_id: &Digest) {
        // One that stays costs another look.
        let _ = fs::remove_file(self.layer_folder(diff_id).join(DAMAGED));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_is_noted_of_the_layer_that_has_it_until_it_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path());
        let [changed, unsealed, whole] =
            ["changed", "unsealed", "whole"].map(|text| image_layer::sha256(text.as_bytes()));
        for layer in [&changed, &unsealed, &whole] {
            fs::create_dir_all(store.layer_folder(layer)).unwrap();
        }
        let noted = || [&changed, &unsealed, &whole].map(|id| store.is_noted_as_damaged(id));
        store.note_damage(&StoreError::Content(ContentError::LayerChanged {
            diff_id: changed.clone(),
            change: String::new(),
            more: 0,
        }));
        assert_eq!(noted(), [true, false, false]);
        store.note_damage(&StoreError::Content(ContentError::Unsealed {
            diff_id: unsealed.clone(),
            reason: String::new(),
        }));
        store.note_damage(&StoreError::Interrupted);
        assert_eq!(noted(), [true, true, false]);
        store.forget_damage(&changed);
        store.forget_damage(&whole);
        assert_eq!(noted(), [false, true, false]);
    }
}
