//! The compressed stream of a blob: counted, hashed and kept while it passes.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use image_name::Digest;

use super::chunks::{Chunks, fill};
use crate::digest::Hasher;
use crate::error::ContentError;
use crate::write_back::start_writing;

/// Bytes that are still read of a stream that turned out bad, to learn whether it had the digest
/// it was asked for: the better message.
const DRAIN: u64 = 256 << 20;

/// Bytes of a kept copy from which it begins to be written to the disk. What is not waits for the end of
/// the fetch, when nothing else is left to be done beside it.
const FLUSH: u64 = 8 << 20;

/// Told how much has come, and asked whether to go on.
#[derive(Clone, Copy)]
pub struct Watch<'a> {
    /// Called with the bytes of the blob that have come so far.
    pub received: &'a (dyn Fn(u64) + Sync),
    /// Set by anyone who wants the work to end.
    pub cancelled: &'a AtomicBool,
}

/// What names a blob.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Its digest.
    pub digest: &'a Digest,
    /// Its bytes.
    pub size: u64,
}

/// A blob on its way in. Reading it to its end proves size and digest.
pub struct Intake<'a> {
    source: Box<dyn Read + Send + 'a>,
    what: &'a str,
    wanted: Wanted<'a>,
    hasher: Hasher,
    /// What the blob turned out to be, once it has ended.
    found: Option<Digest>,
    /// The source gave up; it is not asked again.
    broken: bool,
    taken: u64,
    /// How much of the kept copy is on its way to the disk.
    flushed: u64,
    keep: Option<(File, PathBuf)>,
    watch: Watch<'a>,
}

impl<'a> Intake<'a> {
    /// Takes in what `source` gives as the blob that is wanted. `keep` is a file to be made with the
    /// same bytes.
    pub fn new(
        source: Box<dyn Read + Send + 'a>,
        what: &'a str,
        wanted: Wanted<'a>,
        keep: Option<&Path>,
        watch: Watch<'a>,
    ) -> Result<Self, ContentError> {
        let keep = match keep {
            Some(path) => {
                let file = File::create_new(path)
                    .map_err(|error| ContentError::io("cannot create", path, error))?;
                Some((file, path.to_owned()))
            }
            None => None,
        };
        Ok(Self {
            source,
            what,
            wanted,
            hasher: Hasher::new(),
            found: None,
            broken: false,
            taken: 0,
            flushed: 0,
            keep,
            watch,
        })
    }

    fn end(&mut self) -> Result<(), ContentError> {
        if self.taken < self.wanted.size {
            return Err(ContentError::Truncated {
                what: self.what.to_owned(),
            });
        }
        let found = match self.found.take() {
            Some(found) => found,
            None => std::mem::replace(&mut self.hasher, Hasher::new()).finish(),
        };
        let found: &Digest = self.found.insert(found);
        if found != self.wanted.digest {
            return Err(ContentError::DigestMismatch {
                what: self.what.to_owned(),
                expected: self.wanted.digest.to_string(),
                found: found.to_string(),
            });
        }
        Ok(())
    }

    /// Reads all of the blob for nothing but its proof and the kept copy.
    pub fn finish(mut self) -> Result<(), ContentError> {
        self.drain()
    }

    /// What the rest of the blob says of it, after its contents were found bad: an error if it is
    /// not even the blob that was asked for.
    pub(super) fn verdict(&mut self) -> Result<(), ContentError> {
        self.keep = None;
        if self.broken || self.wanted.size.saturating_sub(self.taken) > DRAIN {
            return Ok(());
        }
        self.drain()
    }

    fn drain(&mut self) -> Result<(), ContentError> {
        let mut chunk = Vec::new();
        loop {
            self.next(&mut chunk)?;
            if chunk.is_empty() {
                return Ok(());
            }
        }
    }
}

impl Chunks for Intake<'_> {
    fn next(&mut self, chunk: &mut Vec<u8>) -> Result<(), ContentError> {
        let (watch, mut taken) = (self.watch, self.taken);
        let cancelled = || watch.cancelled.load(Ordering::Relaxed);
        let source = &mut self.source;
        let filled = fill(chunk, |space| {
            if cancelled() {
                return Ok(0);
            }
            let read = source.read(space)?;
            taken += read as u64;
            (watch.received)(taken);
            Ok(read)
        });
        if let Err(error) = filled {
            self.broken = true;
            return Err(ContentError::from_source(self.what, error));
        }
        if cancelled() {
            return Err(ContentError::Truncated {
                what: self.what.to_owned(),
            });
        }
        self.taken += chunk.len() as u64;
        if self.taken > self.wanted.size {
            return Err(ContentError::SizeMismatch {
                what: self.what.to_owned(),
                expected: self.wanted.size,
                found: self.taken,
            });
        }
        if chunk.is_empty() {
            return self.end();
        }
        self.hasher.update(chunk);
        if let Some((file, path)) = &mut self.keep {
            file.write_all(chunk)
                .map_err(|error| ContentError::io("cannot write", path, error))?;
            if self.taken - self.flushed >= FLUSH {
                start_writing(file, self.flushed..self.taken);
                self.flushed = self.taken;
            }
        }
        Ok(())
    }
}
