//! Blobs on their way: each is hashed as it passes.

use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use image_document::Blob;
use image_layer::{ContentError, Hasher, open_regular};
use image_registry::BlobSource;

use crate::error::StoreError;
use crate::fetch::FetchEvent;
use crate::interrupt::Interrupt;
use crate::origin::Origin;
use crate::store::{Staging, Store};

const BUFFER: usize = 256 << 10;

/// The place that blobs come from.
pub(crate) struct Source<'a> {
    origin: &'a mut dyn Origin,
    store: &'a Store,
    on_event: &'a mut dyn FnMut(FetchEvent),
    staging: Option<Staging>,
    interrupt: Interrupt,
}

impl<'a> Source<'a> {
    pub(crate) fn new(
        origin: &'a mut dyn Origin,
        store: &'a Store,
        on_event: &'a mut dyn FnMut(FetchEvent),
    ) -> Self {
        Self {
            origin,
            store,
            on_event,
            staging: None,
            interrupt: Interrupt::default(),
        }
    }

    /// What takes away what is half written.
    pub(crate) fn until(self, interrupt: &Interrupt) -> Self {
        let interrupt = interrupt.clone();
        Self { interrupt, ..self }
    }

    /// What takes away what is half written.
    pub(crate) fn interrupt(&self) -> &Interrupt {
        &self.interrupt
    }

    /// Tells of a blob before it is transferred.
    pub(crate) fn announce(&mut self, blob: &Blob, present: bool) {
        if !blob.is_layer {
            return;
        }
        (self.on_event)(FetchEvent::Layer {
            digest: blob.digest.clone(),
            size: blob.size,
            present,
        });
    }

    /// Tells that a blob has arrived.
    pub(crate) fn arrived(&mut self, blob: &Blob) {
        if !blob.is_layer {
            return;
        }
        (self.on_event)(FetchEvent::Done {
            digest: blob.digest.clone(),
        });
    }

    /// Opens a blob, not verified.
    pub(crate) fn open(&mut self, blob: &Blob) -> Result<Box<dyn Read + Send + '_>, StoreError> {
        self.origin.blob(&blob.digest, blob.size)
    }

    /// Copies a blob to `writer` (at `dest`), and checks its size and digest on the way.
    pub(crate) fn copy(
        &mut self,
        blob: &Blob,
        dest: &Path,
        writer: &mut dyn Write,
    ) -> Result<(), StoreError> {
        let reader = self.origin.blob(&blob.digest, blob.size)?;
        let mut on_event = |event| {
            (self.on_event)(event);
            self.interrupt.is_set()
        };
        pass(blob, reader, dest, writer, &mut on_event)
    }

    /// Reads a small blob into memory.
    pub(crate) fn read(&mut self, blob: &Blob, limit: u64) -> Result<Vec<u8>, StoreError> {
        let what = format!("blob {}", blob.digest);
        if blob.size > limit {
            return Err(StoreError::Content(ContentError::LimitExceeded {
                what,
                limit: format!("{limit} bytes"),
            }));
        }
        let mut bytes = Vec::new();
        self.copy(blob, Path::new(&what), &mut bytes)?;
        Ok(bytes)
    }

    /// Gives the path of a file with a blob, verified: for who may have to read it again. What is
    /// no file yet is written into the store's directory of half-done things.
    fn verified_file(&mut self, blob: &Blob) -> Result<BlobFile, StoreError> {
        if let Some(path) = self.origin.blob_file(&blob.digest)
            && let Some((file, _)) = open_regular(&path)?
        {
            pass(
                blob,
                Box::new(file),
                &path,
                &mut std::io::sink(),
                &mut |_| self.interrupt.is_set(),
            )?;
            return Ok(BlobFile { path, own: false });
        }
        let staging = match self.staging.take() {
            Some(staging) => staging,
            None => self.store.stage()?,
        };
        self.interrupt.staged(staging.path());
        let path = staging.path().join(blob.digest.hex());
        self.staging = Some(staging);
        let file = File::create(&path).map_err(|e| StoreError::io("cannot create", &path, e))?;
        // Removed even if it can't be filled.
        let written = BlobFile {
            path: path.clone(),
            own: true,
        };
        let mut writer = BufWriter::new(file);
        self.copy(blob, &path, &mut writer)?;
        writer
            .flush()
            .map_err(|error| StoreError::io("cannot write", &path, error))?;
        Ok(written)
    }
}

impl BlobSource for Source<'_> {
    type File = BlobFile;

    fn announce(&mut self, blob: &Blob, present: bool) {
        Self::announce(self, blob, present);
    }

    fn file(&mut self, blob: &Blob) -> Result<BlobFile, ContentError> {
        Ok(self.verified_file(blob)?)
    }

    fn arrived(&mut self, blob: &Blob) {
        Self::arrived(self, blob);
    }
}

/// A file with a verified blob; gone with this if it was made for it.
pub(crate) struct BlobFile {
    path: PathBuf,
    own: bool,
}

impl AsRef<Path> for BlobFile {
    fn as_ref(&self) -> &Path {
        &self.path
    }
}

impl Drop for BlobFile {
    fn drop(&mut self) {
        if self.own {
            // What stays goes with the staging directory.
            drop(std::fs::remove_file(&self.path));
        }
    }
}

/// Passes a blob on; `stops` is told how far it is, and says whether to stop there.
fn pass(
    blob: &Blob,
    mut reader: Box<dyn Read + Send + '_>,
    dest: &Path,
    writer: &mut dyn Write,
    stops: &mut dyn FnMut(FetchEvent) -> bool,
) -> Result<(), StoreError> {
    let what = format!("blob {}", blob.digest);
    let mut hasher = Hasher::new();
    let mut buffer = vec![0; BUFFER];
    let mut size = 0_u64;
    loop {
        let count = match reader.read(&mut buffer) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            other => other.map_err(|error| StoreError::from_source(&what, error))?,
        };
        let bytes = buffer.get(..count).unwrap_or_default();
        if bytes.is_empty() {
            break;
        }
        size = size.saturating_add(count as u64);
        if size > blob.size {
            break;
        }
        hasher.update(bytes);
        writer
            .write_all(bytes)
            .map_err(|error| StoreError::io("cannot write", dest, error))?;
        let received = FetchEvent::Received {
            digest: blob.digest.clone(),
            bytes: size,
        };
        if stops(received) {
            return Err(StoreError::Interrupted);
        }
    }
    if size != blob.size {
        return Err(StoreError::Content(ContentError::SizeMismatch {
            what,
            expected: blob.size,
            found: size,
        }));
    }
    let found = hasher.finish();
    if found != blob.digest {
        return Err(StoreError::Content(ContentError::DigestMismatch {
            what,
            expected: blob.digest.to_string(),
            found: found.to_string(),
        }));
    }
    Ok(())
}
