//! A further name for an image of the store.

use atomic_file::Durability;
use image_name::Reference;

use super::durable::{publish, sync_file_system, sync_folder};
use super::ref_name::file_name;
use super::{RefRecord, Store, make_folder};
use crate::error::StoreError;

impl Store {
    /// Gives an image another name as well. A name that stood for another image stands for this one afterwards. Durable
    /// when this returns. Hold a [`crate::Pin`] meanwhile.
    ///
    /// # Errors
    /// [`image_layer::ContentError::Io`] or [`image_layer::ContentError::NoSpace`]; the name stands for what it did then.
    pub fn tag(&self, record: &RefRecord, name: &Reference) -> Result<RefRecord, StoreError> {
        let mut tagged = RefRecord::new(
            name.clone(),
            record.digest.clone(),
            record.manifest.clone(),
            record.source.clone(),
        );
        tagged.fetched_at = record.fetched_at;
        make_folder(&self.refs_folder())?;
        let staging = self.stage()?;
        let staged = staging.write("record", &tagged.to_bytes())?;
        sync_file_system(staging.path())?;
        let to = self.refs_folder().join(file_name(name));
        publish(&staged, &to, Durability::Visible)?;
        sync_folder(&self.refs_folder())?;
        Ok(tagged)
    }
}
