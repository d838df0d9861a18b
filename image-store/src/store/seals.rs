//! Layers of the store against their seals.

use image_layer::Layer;
use image_layer::seal::{self, Depth};

use super::Store;
use crate::error::StoreError;

impl Store {
    /// Checks layers against their seals. Nothing is written.
    ///
    /// # Errors
    /// [`ContentError::Unsealed`](crate::ContentError::Unsealed) where there is no (whole) seal of
    /// this very tree, [`ContentError::LayerChanged`](crate::ContentError::LayerChanged) where
    /// something was changed since it was unpacked.
    pub fn check_layers(&self, layers: &[Layer], depth: Depth) -> Result<(), StoreError> {
        Ok(seal::check(
            layers,
            |layer| self.layer_folder(&layer.diff_id),
            depth,
        )?)
    }
}
