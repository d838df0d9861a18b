//! An archive as plain tar, which is read in place: the file itself, or what a compressed one holds.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use image_layer::Limits;

use crate::decompress::{self, Packing, Plain};
use crate::error::StoreError;
use crate::store::Staging;

/// Where a compressed archive is unpacked, and how far.
pub(crate) struct Unpacking<'a> {
    /// Bounds on what comes out.
    pub(crate) limits: &'a Limits,
    /// Makes a directory for half-done things.
    pub(crate) stage: &'a dyn Fn() -> Result<Staging, StoreError>,
}

/// The plain tar file at `path`, and its length.
pub(super) fn plain_file(
    path: &Path,
    unpacking: &Unpacking<'_>,
) -> Result<(File, u64), StoreError> {
    let file = decompress::open(path)?;
    let failed = |error: io::Error| StoreError::io("cannot read", path, error);
    let again = file.try_clone().map_err(failed)?;
    let mut plain = Plain::new(again, path, unpacking.limits)?;
    if plain.packing() == Packing::Plain {
        let length = file.metadata().map_err(failed)?.len();
        return Ok((file, length));
    }
    // Without a name once the directory goes: nothing is left, however this ends.
    let staging = (unpacking.stage)()?;
    let at = staging.path().join("archive.tar");
    let written = |error: io::Error| StoreError::io("cannot write", &at, error);
    let mut out = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&at)
        .map_err(written)?;
    let what = path.display().to_string();
    let mut buffer = vec![0; 256 << 10];
    let mut length: u64 = 0;
    loop {
        let count = match plain.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            other => other.map_err(|error| StoreError::from_source(&what, error))?,
        };
        match buffer.get(..count) {
            Some(bytes) if !bytes.is_empty() => out.write_all(bytes).map_err(written)?,
            _ => return Ok((out, length)),
        }
        length = length.saturating_add(count as u64);
    }
}

#[cfg(test)]
impl Unpacking<'static> {
    /// For archives that are plain.
    pub(crate) fn none() -> Self {
        Self {
            limits: Box::leak(Box::default()),
            stage: &|| Err(StoreError::Interrupted),
        }
    }
}
