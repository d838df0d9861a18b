//! The inflated stream of a layer: gzip of one or more members, zstd of one or more frames, or
//! plain tar, told apart by their first bytes.

use std::io::{self, BufRead, Read};

use flate2::bufread::MultiGzDecoder;
use oci_spec::image::Digest;

use crate::digest::Hasher;
use crate::error::StoreError;
use crate::limits::InflateBound;

/// Bytes that are inflated at once where no other thread waits for them.
const BUFFER: usize = 128 << 10;

/// zstd's own limit for streams whose sender was not asked: 128 MiB of window.
const WINDOW_LOG: u32 = 27;

enum Decoder<R: BufRead> {
    Gzip(Box<MultiGzDecoder<Metered<R>>>),
    Zstd(zstd::stream::read::Decoder<'static, Metered<R>>),
    Plain(Metered<R>),
}

impl<R: BufRead> Decoder<R> {
    /// Compressed bytes that were used up so far.
    fn used(&self) -> u64 {
        match self {
            Self::Gzip(decoder) => decoder.get_ref().used,
            Self::Zstd(decoder) => decoder.get_ref().used,
            Self::Plain(input) => input.used,
        }
    }
}

/// Counts what a decoder uses up.
struct Metered<R> {
    input: R,
    used: u64,
}

impl<R: BufRead> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        self.used += read as u64;
        Ok(read)
    }
}

impl<R: BufRead> BufRead for Metered<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.input.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.used += amount as u64;
        self.input.consume(amount);
    }
}

/// The inflated stream. Reading it to its end proves the diff ID.
pub(super) struct Inflate<'a, R: BufRead> {
    decoder: Decoder<R>,
    what: &'a str,
    diff_id: &'a Digest,
    hasher: Option<Hasher>,
    taken: u64,
    bound: InflateBound,
    buffer: Vec<u8>,
    position: usize,
}

impl<'a, R: BufRead> Inflate<'a, R> {
    /// Looks at the first bytes of `input`, which gives at least six at once if it has them.
    pub(super) fn new(
        mut input: R,
        what: &'a str,
        diff_id: &'a Digest,
        bound: InflateBound,
    ) -> Result<Self, StoreError> {
        let corrupt = |reason: String| StoreError::CorruptCompression {
            what: what.to_owned(),
            reason,
        };
        let head = input
            .fill_buf()
            .map_err(|error| StoreError::from_read(what, error))?;
        let metered = |input| Metered { input, used: 0 };
        let decoder = match head {
            [0x1f, 0x8b, ..] => Decoder::Gzip(Box::new(MultiGzDecoder::new(metered(input)))),
            // A frame, or a skippable one as chunked layers have.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(metered(input))
                    .map_err(|error| corrupt(error.to_string()))?;
                decoder
                    .window_log_max(WINDOW_LOG)
                    .map_err(|error| corrupt(error.to_string()))?;
                Decoder::Zstd(decoder)
            }
            [0xfd, b'7', b'z', b'X', b'Z', ..] => {
                return Err(corrupt(
                    "xz is not a compression of container images".to_owned(),
                ));
            }
            [b'B', b'Z', b'h', ..] => {
                return Err(corrupt(
                    "bzip2 is not a compression of container images".to_owned(),
                ));
            }
            _ => Decoder::Plain(metered(input)),
        };
        Ok(Self {
            decoder,
            what,
            diff_id,
            hasher: Some(Hasher::new()),
            taken: 0,
            bound,
            buffer: Vec::new(),
            position: 0,
        })
    }

    /// Fills `buffer` as far as the stream goes. Zero bytes mean that it ended as it should.
    pub(super) fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, StoreError> {
        let mut filled = 0;
        while let Some(space) = buffer.get_mut(filled..).filter(|space| !space.is_empty()) {
            let read = match &mut self.decoder {
                Decoder::Gzip(decoder) => decoder.read(space),
                Decoder::Zstd(decoder) => decoder.read(space),
                Decoder::Plain(input) => input.read(space),
            };
            match read {
                Ok(0) => break,
                Ok(read) => filled += read.min(space.len()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.failed(error)),
            }
        }
        let chunk = buffer.get(..filled).unwrap_or_default();
        self.taken += filled as u64;
        self.bound
            .check(self.decoder.used(), self.taken, self.what)?;
        if !chunk.is_empty() {
            if let Some(hasher) = &mut self.hasher {
                hasher.update(chunk);
            }
            return Ok(filled);
        }
        if let Some(hasher) = self.hasher.take() {
            let found = hasher.finish();
            if found != *self.diff_id {
                return Err(StoreError::DigestMismatch {
                    what: format!("{}: diff ID", self.what),
                    expected: self.diff_id.to_string(),
                    found: found.to_string(),
                });
            }
        }
        Ok(0)
    }

    fn failed(&self, error: io::Error) -> StoreError {
        let own = error
            .get_ref()
            .is_some_and(|inner| inner.is::<StoreError>());
        if own || error.kind() == io::ErrorKind::UnexpectedEof {
            return StoreError::from_read(self.what, error);
        }
        StoreError::CorruptCompression {
            what: self.what.to_owned(),
            reason: error.to_string(),
        }
    }
}

impl<R: BufRead> Read for Inflate<'_, R> {
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

impl<R: BufRead> BufRead for Inflate<'_, R> {
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
