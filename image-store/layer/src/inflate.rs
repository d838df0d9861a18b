//! The inflated stream of a layer: gzip of one or more members, zstd of one or more frames, or
//! plain tar, told apart by their first bytes.

use std::io::{self, BufRead, Read};

use super::chunks::{Chunks, fill};
use super::gzip::GzipMembers;
use super::window::{self, Window, WindowMemory};
use crate::error::ContentError;
use crate::limits::InflateBound;

enum Decoder<R: BufRead> {
    Gzip(GzipMembers<Metered<R>>),
    Zstd(zstd::stream::read::Decoder<'static, Metered<R>>),
    Plain(Metered<R>),
}

impl<R: BufRead> Decoder<R> {
    /// Compressed bytes that were used up so far.
    fn used(&self) -> u64 {
        match self {
            Self::Gzip(decoder) => decoder.input().map_or(0, |input| input.used),
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

/// The inflated stream of what `R` gives.
pub(super) struct Inflate<'a, R: BufRead> {
    decoder: Decoder<R>,
    what: &'a str,
    /// The right to the memory that the decoder holds.
    _window: Option<Window>,
    taken: u64,
    bound: InflateBound,
}

impl<'a, R: BufRead> Inflate<'a, R> {
    /// Looks at the first bytes of `input`, which gives at least six at once if it has them.
    pub(super) fn new(
        mut input: R,
        what: &'a str,
        bound: InflateBound,
        memory: &WindowMemory,
    ) -> Result<Self, ContentError> {
        let corrupt = |reason: String| ContentError::CorruptCompression {
            what: what.to_owned(),
            reason,
        };
        let head = input
            .fill_buf()
            .map_err(|error| ContentError::from_read(what, error))?;
        let metered = |input| Metered { input, used: 0 };
        let mut reserved = None;
        let decoder = match head {
            [0x1f, 0x8b, ..] => Decoder::Gzip(GzipMembers::new(metered(input))),
            // A frame, or a skippable one as chunked layers have.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => {
                let window = window::declared(head).map(|size| memory.reserve(size));
                let window = window.map_err(corrupt)?;
                let mut decoder = zstd::stream::read::Decoder::with_buffer(metered(input))
                    .map_err(|error| corrupt(error.to_string()))?;
                decoder
                    .window_log_max(window.log())
                    .map_err(|error| corrupt(error.to_string()))?;
                reserved = Some(window);
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
            _window: reserved,
            taken: 0,
            bound,
        })
    }

    fn failed(&self, error: io::Error) -> ContentError {
        if ContentError::is_in(&error) || error.kind() == io::ErrorKind::UnexpectedEof {
            return ContentError::from_read(self.what, error);
        }
        ContentError::CorruptCompression {
            what: self.what.to_owned(),
            reason: error.to_string(),
        }
    }
}

impl<R: BufRead> Chunks for Inflate<'_, R> {
    fn next(&mut self, chunk: &mut Vec<u8>) -> Result<(), ContentError> {
        let decoder = &mut self.decoder;
        let filled = fill(chunk, |space| match decoder {
            Decoder::Gzip(decoder) => decoder.read(space),
            Decoder::Zstd(decoder) => decoder.read(space),
            Decoder::Plain(input) => input.read(space),
        });
        filled.map_err(|error| self.failed(error))?;
        self.taken += chunk.len() as u64;
        self.bound.check(self.decoder.used(), self.taken, self.what)
    }
}
