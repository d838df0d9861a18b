//! The compressed stream of a blob: counted, hashed and kept while it passes.

use std::fs::File;
use std::io::{self, BufRead, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use oci_spec::image::Digest;

use crate::digest::Hasher;
use crate::error::StoreError;
use crate::manifest::Descriptor;

/// Bytes that are read at once where no other thread waits for them.
const BUFFER: usize = 128 << 10;

/// Bytes that are still read of a stream that turned out bad, to learn whether it had the digest
/// it was asked for: the better message.
const DRAIN: u64 = 256 << 20;

/// Told how much has come, and asked whether to go on.
#[derive(Clone, Copy)]
pub(crate) struct Watch<'a> {
    /// Called with the bytes of the blob that have come so far.
    pub(crate) received: &'a (dyn Fn(u64) + Sync),
    /// Set by anyone who wants the work to end.
    pub(crate) cancelled: &'a AtomicBool,
}

/// A blob on its way in. Reading it to its end proves size and digest.
pub(crate) struct Intake<'a> {
    source: Box<dyn Read + Send + 'a>,
    what: &'a str,
    descriptor: &'a Descriptor,
    hasher: Hasher,
    /// What the blob turned out to be, once it has ended.
    found: Option<Digest>,
    /// The source gave up; it is not asked again.
    broken: bool,
    taken: u64,
    keep: Option<(File, PathBuf)>,
    watch: Watch<'a>,
    buffer: Vec<u8>,
    position: usize,
}

impl<'a> Intake<'a> {
    /// Takes in what `source` gives as the blob that `descriptor` names. `keep` is a file to be made
    /// with the same bytes.
    pub(crate) fn new(
        source: Box<dyn Read + Send + 'a>,
        what: &'a str,
        descriptor: &'a Descriptor,
        keep: Option<&Path>,
        watch: Watch<'a>,
    ) -> Result<Self, StoreError> {
        let keep = match keep {
            Some(path) => {
                let file = File::create_new(path)
                    .map_err(|error| StoreError::io("cannot create", path, error))?;
                Some((file, path.to_owned()))
            }
            None => None,
        };
        Ok(Self {
            source,
            what,
            descriptor,
            hasher: Hasher::new(),
            found: None,
            broken: false,
            taken: 0,
            keep,
            watch,
            buffer: Vec::new(),
            position: 0,
        })
    }

    /// Fills `buffer` as far as the blob goes. Zero bytes mean that it ended as it should.
    pub(super) fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, StoreError> {
        let mut filled = 0;
        while let Some(space) = buffer.get_mut(filled..).filter(|space| !space.is_empty()) {
            if self.watch.cancelled.load(Ordering::Relaxed) {
                return Err(StoreError::Truncated {
                    what: self.what.to_owned(),
                });
            }
            match self.source.read(space) {
                Ok(0) => break,
                Ok(read) => filled += read.min(space.len()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.broken = true;
                    return Err(StoreError::from_source(self.what, error));
                }
            }
            if self.taken + filled as u64 > self.descriptor.size {
                return Err(StoreError::SizeMismatch {
                    what: self.what.to_owned(),
                    expected: self.descriptor.size,
                    found: self.taken + filled as u64,
                });
            }
        }
        let chunk = buffer.get(..filled).unwrap_or_default();
        if chunk.is_empty() {
            self.end()?;
            return Ok(0);
        }
        self.taken += filled as u64;
        self.hasher.update(chunk);
        if let Some((file, path)) = &mut self.keep {
            file.write_all(chunk)
                .map_err(|error| StoreError::io("cannot write", path, error))?;
        }
        (self.watch.received)(self.taken);
        Ok(filled)
    }

    fn end(&mut self) -> Result<(), StoreError> {
        if self.taken < self.descriptor.size {
            return Err(StoreError::Truncated {
                what: self.what.to_owned(),
            });
        }
        let found = match self.found.take() {
            Some(found) => found,
            None => std::mem::replace(&mut self.hasher, Hasher::new()).finish(),
        };
        let found = self.found.insert(found);
        if *found != self.descriptor.digest {
            return Err(StoreError::DigestMismatch {
                what: self.what.to_owned(),
                expected: self.descriptor.digest.to_string(),
                found: found.to_string(),
            });
        }
        Ok(())
    }

    /// Reads all of the blob for nothing but its proof and the kept copy.
    pub(crate) fn finish(mut self) -> Result<(), StoreError> {
        let mut buffer = vec![0; BUFFER];
        while self.fill(&mut buffer)? > 0 {}
        Ok(())
    }

    /// What the rest of the blob says of it, after its contents were found bad: an error if it is
    /// not even the blob that was asked for.
    pub(super) fn verdict(&mut self) -> Result<(), StoreError> {
        self.keep = None;
        if self.broken || self.descriptor.size.saturating_sub(self.taken) > DRAIN {
            return Ok(());
        }
        let mut buffer = vec![0; BUFFER];
        while self.fill(&mut buffer)? > 0 {}
        Ok(())
    }
}

impl Read for Intake<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let length = available.len().min(buffer.len());
        if let (Some(from), Some(to)) = (available.get(..length), buffer.get_mut(..length)) {
            to.copy_from_slice(from);
        }
        self.consume(length);
        Ok(length)
    }
}

impl BufRead for Intake<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.position >= self.buffer.len() {
            let mut buffer = std::mem::take(&mut self.buffer);
            buffer.resize(BUFFER, 0);
            let filled = self.fill(&mut buffer).map_err(StoreError::into_io)?;
            buffer.truncate(filled);
            self.buffer = buffer;
            self.position = 0;
        }
        Ok(self.buffer.get(self.position..).unwrap_or_default())
    }

    fn consume(&mut self, amount: usize) {
        self.position = self.position.saturating_add(amount).min(self.buffer.len());
    }
}
