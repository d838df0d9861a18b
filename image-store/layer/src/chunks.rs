//! Streams in chunks: what takes in, inflates and proves hands on whole chunks, and the walk reads
//! them as one stream.

use std::io::{self, BufRead, Read};

use image_name::Digest;

use crate::digest::Hasher;
use crate::error::ContentError;

/// Bytes of a chunk. Large enough that handing one to another thread costs nothing beside what is
/// done to it, and small enough that several stay in a processor's cache.
const CHUNK: usize = 256 << 10;

/// A stream that comes in chunks.
pub(super) trait Chunks {
    /// Replaces `chunk` by the next bytes. It is empty at the proven end, and only there.
    fn next(&mut self, chunk: &mut Vec<u8>) -> Result<(), ContentError>;
}

impl<C: Chunks> Chunks for &mut C {
    fn next(&mut self, chunk: &mut Vec<u8>) -> Result<(), ContentError> {
        (**self).next(chunk)
    }
}

/// Fills `chunk` as far as `read` goes.
pub(super) fn fill(
    chunk: &mut Vec<u8>,
    mut read: impl FnMut(&mut [u8]) -> io::Result<usize>,
) -> io::Result<()> {
    chunk.resize(CHUNK, 0);
    let mut filled = 0;
    while let Some(space) = chunk.get_mut(filled..).filter(|space| !space.is_empty()) {
        match read(space) {
            Ok(0) => break,
            Ok(read) => filled += read.min(space.len()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    chunk.truncate(filled);
    Ok(())
}

/// Chunks as one stream.
pub(super) struct Reader<C> {
    chunks: C,
    current: Vec<u8>,
    position: usize,
    ended: bool,
}

impl<C: Chunks> Reader<C> {
    pub(super) fn new(chunks: C) -> Self {
        Self {
            chunks,
            current: Vec::new(),
            position: 0,
            ended: false,
        }
    }
}

impl<C: Chunks> BufRead for Reader<C> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.position >= self.current.len() && !self.ended {
            self.position = 0;
            if let Err(error) = self.chunks.next(&mut self.current) {
                self.current.clear();
                return Err(error.into_io());
            }
            self.ended = self.current.is_empty();
        }
        Ok(self.current.get(self.position..).unwrap_or_default())
    }

    fn consume(&mut self, amount: usize) {
        self.position = self.position.saturating_add(amount).min(self.current.len());
    }
}

impl<C: Chunks> Read for Reader<C> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}

/// A stream whose end is only given if all that came has the digest it should have.
pub(super) struct Proven<'a, C> {
    chunks: C,
    hasher: Hasher,
    what: &'a str,
    diff_id: &'a Digest,
}

impl<'a, C: Chunks> Proven<'a, C> {
    /// Proves the diff ID of a layer, which messages call `what`.
    pub(super) fn new(chunks: C, what: &'a str, diff_id: &'a Digest) -> Self {
        Self {
            chunks,
            hasher: Hasher::new(),
            what,
            diff_id,
        }
    }
}

impl<C: Chunks> Chunks for Proven<'_, C> {
    fn next(&mut self, chunk: &mut Vec<u8>) -> Result<(), ContentError> {
        self.chunks.next(chunk)?;
        if !chunk.is_empty() {
            self.hasher.update(chunk);
            return Ok(());
        }
        let found = self.hasher.clone().finish();
        if found == *self.diff_id {
            return Ok(());
        }
        Err(ContentError::DigestMismatch {
            what: format!("{}: diff ID", self.what),
            expected: self.diff_id.to_string(),
            found: found.to_string(),
        })
    }
}
