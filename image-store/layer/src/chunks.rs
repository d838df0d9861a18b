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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::sha256;

    /// Chunks as they are given, an empty one at the end.
    struct Given(Vec<Vec<u8>>);

    impl Chunks for Given {
        fn next(&mut self, chunk: &mut Vec<u8>) -> Result<(), ContentError> {
            *chunk = self.0.pop().unwrap_or_default();
            Ok(())
        }
    }

    fn given(chunks: &[&[u8]]) -> Given {
        Given(chunks.iter().rev().map(|chunk| chunk.to_vec()).collect())
    }

    #[test]
    fn a_chunk_is_filled_by_as_many_reads_as_it_takes() {
        let mut reads = 0;
        let mut chunk = b"before".to_vec();
        fill(&mut chunk, |space| {
            reads += 1;
            match reads {
                1 | 3 => Err(io::ErrorKind::Interrupted.into()),
                2 => {
                    space[..3].copy_from_slice(b"abc");
                    Ok(3)
                }
                4 => {
                    space[..2].copy_from_slice(b"de");
                    Ok(2)
                }
                _ => Ok(0),
            }
        })
        .unwrap();
        assert_eq!((chunk.as_slice(), reads), (&b"abcde"[..], 5));
        fill(&mut chunk, |space| Ok(space.len())).unwrap();
        assert_eq!(chunk.len(), CHUNK);
        let failed = fill(&mut chunk, |_| Err(io::ErrorKind::ConnectionReset.into()));
        assert_eq!(failed.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    }

    #[test]
    fn chunks_are_read_as_one_stream() {
        let mut reader = Reader::new(given(&[b"abc", b"de", b"f"]));
        assert_eq!(reader.fill_buf().unwrap(), b"abc");
        reader.consume(1);
        assert_eq!(reader.fill_buf().unwrap(), b"bc");
        let mut two = [0; 8];
        assert_eq!(reader.read(&mut two).unwrap(), 2);
        // Nobody takes more than there is.
        reader.consume(100);
        let mut rest = Vec::new();
        reader.read_to_end(&mut rest).unwrap();
        assert_eq!(rest, b"def");
        assert_eq!(reader.fill_buf().unwrap(), b"");
        // The end was proven once, and isn't asked for again.
        reader.chunks.0.push(b"more".to_vec());
        assert_eq!(reader.fill_buf().unwrap(), b"");
    }

    #[test]
    fn an_end_is_given_only_with_its_proof() {
        let good = sha256(b"abcde");
        for (chunks, is_good) in [
            (&[&b"abc"[..], b"de"][..], true),
            (&[b"abcde"], true),
            (&[b"abc"], false),
            (&[b"de", b"abc"], false),
            (&[], false),
        ] {
            let mut reader = Reader::new(Proven::new(given(chunks), "x", &good));
            let read = reader.read_to_end(&mut Vec::new());
            assert_eq!(read.is_ok(), is_good, "{chunks:?}");
            if let Err(error) = read {
                let error = ContentError::from_read("y", error).to_string();
                assert!(error.starts_with("x: diff ID: digest mismatch"), "{error}");
            }
        }
    }
}
