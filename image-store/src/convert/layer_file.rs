//! The one layer of a converted image.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use image_layer::Hasher;
use image_name::Digest;

use crate::error::StoreError;
use crate::tar_writer::TarWriter;

/// The one layer of a converted image.
pub(super) struct LayerFile {
    pub(super) path: PathBuf,
    /// `+gzip` and the like.
    pub(super) suffix: &'static str,
    pub(super) digest: Digest,
    pub(super) size: u64,
    pub(super) diff_id: Digest,
}

/// A plain layer being written: its bytes go to a new file, and are hashed and counted.
pub(super) struct LayerWriter {
    out: BufWriter<File>,
    path: PathBuf,
    hasher: Hasher,
    size: u64,
}

impl LayerWriter {
    pub(super) fn create(path: &Path) -> Result<Self, StoreError> {
        let file = File::create_new(path).map_err(|e| StoreError::io("cannot create", path, e))?;
        Ok(Self {
            out: BufWriter::with_capacity(256 << 10, file),
            path: path.to_owned(),
            hasher: Hasher::new(),
            size: 0,
        })
    }

    /// The same for a layer that is written member by member.
    pub(super) fn tar(path: &Path) -> Result<TarWriter<Self>, StoreError> {
        Ok(TarWriter::new(Self::create(path)?, path))
    }

    /// What was written.
    pub(super) fn finish(mut self) -> Result<LayerFile, StoreError> {
        self.out
            .flush()
            .map_err(|error| StoreError::io("cannot write", &self.path, error))?;
        let digest = self.hasher.finish();
        Ok(LayerFile {
            path: self.path,
            suffix: "",
            diff_id: digest.clone(),
            digest,
            size: self.size,
        })
    }
}

impl Write for LayerWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.out.write(bytes)?;
        self.hasher.update(bytes.get(..count).unwrap_or_default());
        self.size += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Writes what `reader`, a tar stream, gives as a layer, byte for byte. `from` is for messages.
pub(super) fn copy_plain(
    reader: &mut dyn Read,
    from: &Path,
    file: &Path,
) -> Result<LayerFile, StoreError> {
    let mut layer = LayerWriter::create(file)?;
    let mut buffer = vec![0; 256 << 10];
    loop {
        let count = match reader.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            other => {
                let what = from.display().to_string();
                other.map_err(|error| StoreError::from_source(&what, error))?
            }
        };
        match buffer.get(..count) {
            Some(bytes) if !bytes.is_empty() => layer
                .write_all(bytes)
                .map_err(|error| StoreError::io("cannot write", file, error))?,
            _ => return layer.finish(),
        }
    }
}
