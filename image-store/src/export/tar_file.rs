//! A tar file being written, with entries whose size is known only after they are.

use std::fs::File;
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::error::StoreError;

const BLOCK: u64 = 512;

/// The file. Every entry is a regular file of mode 0644 and time 0, so equal images give equal
/// archives.
pub(super) struct TarFile {
    writer: BufWriter<File>,
    path: PathBuf,
}

impl TarFile {
    pub(super) fn create(path: &Path) -> Result<Self, StoreError> {
        let file =
            File::create(path).map_err(|error| StoreError::io("cannot create", path, error))?;
        Ok(Self {
            writer: BufWriter::with_capacity(256 << 10, file),
            path: path.to_owned(),
        })
    }

    /// Adds a file with this content.
    pub(super) fn file(&mut self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        self.stream(name, |path, writer| {
            writer
                .write_all(bytes)
                .map_err(|error| StoreError::io("cannot write", path, error))
        })
    }

    /// Adds a file with what `content` writes; it gets the path of the archive for its errors.
    pub(super) fn stream(
        &mut self,
        name: &str,
        content: impl FnOnce(&Path, &mut dyn Write) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let start = self.position()?;
        let header = self.header(name, 0)?;
        self.write(header.as_bytes())?;
        content(&self.path, &mut self.writer)?;
        let end = self.position()?;
        let size = end - start - BLOCK;
        let padding = usize::try_from(end.next_multiple_of(BLOCK) - end).unwrap_or(0);
        self.write([0; BLOCK as usize].get(..padding).unwrap_or_default())?;
        let next = self.position()?;
        let header = self.header(name, size)?;
        self.seek(start)?;
        self.write(header.as_bytes())?;
        self.seek(next)
    }

    /// Writes the end of the archive.
    pub(super) fn finish(mut self) -> Result<(), StoreError> {
        self.write(&[0; 2 * BLOCK as usize])?;
        self.writer.flush().map_err(|error| self.error(error))
    }

    fn header(&self, name: &str, size: u64) -> Result<tar::Header, StoreError> {
        let mut header = tar::Header::new_ustar();
        header.set_path(name).map_err(|error| self.error(error))?;
        header.set_size(size);
        header.set_mode(0o644);
        header.set_entry_type(tar::EntryType::Regular);
        header.set_cksum();
        Ok(header)
    }

    fn position(&mut self) -> Result<u64, StoreError> {
        self.writer
            .stream_position()
            .map_err(|error| self.error(error))
    }

    fn seek(&mut self, to: u64) -> Result<(), StoreError> {
        self.writer
            .seek(SeekFrom::Start(to))
            .map(drop)
            .map_err(|error| self.error(error))
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.writer
            .write_all(bytes)
            .map_err(|error| self.error(error))
    }

    fn error(&self, error: std::io::Error) -> StoreError {
        StoreError::io("cannot write", &self.path, error)
    }
}
