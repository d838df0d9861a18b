mod appc;
mod roots;

use std::fs;
use std::path::PathBuf;

use image_layer::sha256;
use serde_json::Value;
use tempfile::TempDir;

use super::*;
use crate::error::StoreError;
use crate::options::FetchOptions;
use crate::source::ImageSource;
use crate::store::Image;
use crate::store::Store;
use image_name::Reference;
use std::path::Path;

/// A store, and a directory for what is imported.
struct Ground {
    folder: TempDir,
    store: Store,
}

impl Ground {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("images"));
        Self { folder, store }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    /// Imports `scheme:NAME`; gives the image and the notes.
    fn import(&self, source: &str) -> Result<(Image, Vec<String>), StoreError> {
        self.import_with(source, &FetchOptions::default())
    }

    fn import_with(
        &self,
        source: &str,
        options: &FetchOptions,
    ) -> Result<(Image, Vec<String>), StoreError> {
        let (scheme, name) = source.split_once(':').unwrap();
        let source = format!("{scheme}:{}", self.path(name).display());
        let source = ImageSource::parse(&source)?;
        let fetch = self.store.begin_fetch(&source, options)?;
        let notes = fetch.notes().to_vec();
        let (image, _) = fetch.complete(&mut |_| {})?;
        Ok((image, notes))
    }

    /// The configuration of an image as JSON.
    fn config(&self, image: &Image) -> Value {
        let path = self.store.blob_path(image.config_digest());
        serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
    }

    /// Whether anything is left of imports that failed.
    fn leftovers(&self) -> usize {
        ["tmp", "refs", "layers", "blobs/sha256"]
            .iter()
            .filter_map(|part| fs::read_dir(self.store.path().join(part)).ok())
            .map(Iterator::count)
            .sum()
    }
}
