//! A file or directory that is not complete yet.

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use atomic_file::Durability;

use crate::error::StoreError;
use crate::tar_writer::TarWriter;

/// Stands beside its destination; what is there of it goes away with it.
pub(super) struct Partial {
    path: PathBuf,
    /// What it will be called, which is what messages call it.
    dest: PathBuf,
}

impl Partial {
    pub(super) fn beside(dest: &Path) -> Result<Self, StoreError> {
        let Some(name) = dest.file_name() else {
            return Err(StoreError::Destination {
                path: dest.to_owned(),
                reason: "is not a path at which a file can be written",
            });
        };
        let mut partial = std::ffi::OsString::from(".");
        partial.push(name);
        partial.push(format!(".{}.partial", std::process::id()));
        Ok(Self {
            path: dest.with_file_name(partial),
            dest: dest.to_owned(),
        })
    }

    /// Begins a tar file there.
    pub(super) fn tar(&self) -> Result<TarWriter<BufWriter<File>>, StoreError> {
        let file = File::create(&self.path)
            .map_err(|error| StoreError::io("cannot create", &self.dest, error))?;
        let out = BufWriter::with_capacity(256 << 10, file);
        Ok(TarWriter::new(out, &self.dest))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn rename_to(self, dest: &Path) -> Result<(), StoreError> {
        // Somebody's copy: it can be made again.
        atomic_file::publish(&self.path, dest, Durability::Visible)
            .map_err(|failed| StoreError::io("cannot create", dest, failed.error))
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // After the rename there is nothing; before it this is all that can still be done.
        let _ = match self.path.symlink_metadata() {
            Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(&self.path),
            Ok(_) => fs::remove_file(&self.path),
            Err(_) => Ok(()),
        };
    }
}
