//! What lies in a store and is nothing that the store makes, or only half of it.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use image_layer::seal::{CONTENTS, SEAL};
use rustix::fs::{FlockOperation, flock};

use crate::error::StoreError;
use crate::store::{DAMAGED, Store};

impl Store {
    /// Files and directories that don't belong where they are, and what killed commands left. They do no
    /// harm: nothing reads them.
    ///
    /// # Errors
    /// [`ContentError::Io`](image_layer::ContentError::Io) if a directory can't be read.
    pub fn strays(&self) -> Result<Vec<PathBuf>, StoreError> {
        let mut strays = Vec::new();
        let mut look = |folder: &Path, belongs: &dyn Fn(&str, &Path) -> bool| {
            for (name, path) in entries(folder)? {
                if !name.as_deref().is_some_and(|name| belongs(name, &path)) {
                    strays.push(path);
                }
            }
            Ok::<_, StoreError>(())
        };
        let known = [
            "lock",
            "blobs",
            "layers",
            "newest",
            "refs",
            "signatures",
            "tmp",
        ];
        look(self.path(), &|name, _| known.contains(&name))?;
        look(&self.path().join("blobs"), &|name, _| name == "sha256")?;
        look(&self.blobs_folder(), &|name, _| is_hex(name))?;
        look(&self.signatures_folder(), &|name, _| {
            name.strip_prefix("sha256-").is_some_and(is_hex)
        })?;
        look(&self.layers_folder(), &|name, _| is_hex(name))?;
        for (_, layer) in entries(&self.layers_folder())? {
            let known = ["fs", "layer.json", "opaque", DAMAGED, SEAL, CONTENTS];
            look(&layer, &|name, _| known.contains(&name))?;
        }
        // Who works holds a lock on what is half done.
        look(&self.tmp_folder(), &|_, path| {
            File::open(path)
                .is_ok_and(|entry| flock(&entry, FlockOperation::NonBlockingLockExclusive).is_err())
        })?;
        strays.sort_unstable();
        Ok(strays)
    }
}

fn is_hex(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// What is in a directory, with names where they are text; nothing if it is no directory.
fn entries(folder: &Path) -> Result<Vec<(Option<String>, PathBuf)>, StoreError> {
    let failed = |error| StoreError::io("cannot read", folder, error);
    let listed = match fs::read_dir(folder) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        other => other.map_err(failed)?,
    };
    let mut entries = Vec::new();
    for entry in listed {
        let entry = entry.map_err(failed)?;
        entries.push((entry.file_name().into_string().ok(), entry.path()));
    }
    Ok(entries)
}
