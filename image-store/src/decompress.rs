//! Plain bytes of what may be compressed, bounded in size, ratio and memory.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use image_layer::{ContentError, GzipMembers, InflateBound, Limits};
use rustix::io::Errno;

use crate::error::StoreError;
use image_layer::open_regular;

const BUFFER: usize = 256 << 10;

/// Largest dictionary of xz, in KiB: that of `xz -9` and some more.
const XZ_MEMORY: u32 = 96 << 10;

/// Largest window of zstd: 128 MiB, as for layers.
const ZSTD_WINDOW: u32 = 27;

/// How a file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packing {
    Plain,
    Gzip,
    Zstd,
    Xz,
}

impl Packing {
    /// Tells by the first bytes.
    ///
    /// # Errors
    /// [`StoreError::UnknownPacking`] for bzip2, which can be told and not read.
    pub(crate) fn of(what: &str, head: &[u8]) -> Result<Self, StoreError> {
        Ok(match head {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstd,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Self::Xz,
            [b'B', b'Z', b'h', b'1'..=b'9', ..] => {
                return Err(StoreError::UnknownPacking {
                    origin: what.to_owned(),
                    packing: "bzip2",
                });
            }
            _ => Self::Plain,
        })
    }
}

/// The plain bytes of a file.
pub(crate) struct Plain {
    decoder: Box<dyn Read>,
    what: String,
    packing: Packing,
    bound: InflateBound,
    taken: Arc<AtomicU64>,
    given: u64,
}

/// Opens a regular file.
///
/// # Errors
/// [`StoreError::InvalidSource`] for what is no regular file, [`ContentError::Io`].
pub(crate) fn open(path: &Path) -> Result<File, StoreError> {
    let missing = || StoreError::io("cannot open", path, Errno::NOENT);
    Ok(open_regular(path)?.ok_or_else(missing)?.0)
}

impl Plain {
    /// Reads `file` from its beginning; whatever its compression is.
    pub(crate) fn new(mut file: File, path: &Path, limits: &Limits) -> Result<Self, StoreError> {
        file.rewind()
            .map_err(|error| StoreError::io("cannot read", path, error))?;
        Self::of_stream(file, path, limits)
    }

    /// Reads `file`, which may be a pipe, from where it is.
    pub(crate) fn of_stream(file: File, path: &Path, limits: &Limits) -> Result<Self, StoreError> {
        let what = path.display().to_string();
        let failed = |error| StoreError::io("cannot read", path, error);
        let taken = Arc::new(AtomicU64::new(0));
        let counted = Counted {
            file,
            taken: Arc::clone(&taken),
        };
        let mut input = BufReader::with_capacity(BUFFER, counted);
        let packing = Packing::of(&what, input.fill_buf().map_err(failed)?)?;
        let decoder: Box<dyn Read> = match packing {
            Packing::Plain => Box::new(input),
            Packing::Gzip => Box::new(GzipMembers::new(input)),
            Packing::Xz => Box::new(lzma_rust2::XzReader::new_mem_limit(input, true, XZ_MEMORY)),
            Packing::Zstd => {
                let corrupt = |error: io::Error| {
                    StoreError::Content(ContentError::CorruptCompression {
                        what: what.clone(),
                        reason: error.to_string(),
                    })
                };
                let mut decoder = zstd::Decoder::with_buffer(input).map_err(corrupt)?;
                decoder.window_log_max(ZSTD_WINDOW).map_err(corrupt)?;
                Box::new(decoder)
            }
        };
        Ok(Self {
            decoder,
            what,
            packing,
            bound: limits.inflating(),
            taken,
            given: 0,
        })
    }

    pub(crate) fn packing(&self) -> Packing {
        self.packing
    }
}

impl Read for Plain {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = match self.decoder.read(buffer) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
            Err(error) if self.packing == Packing::Plain => return Err(error),
            Err(error) => {
                return Err(StoreError::Content(ContentError::CorruptCompression {
                    what: self.what.clone(),
                    reason: error.to_string(),
                })
                .into_io());
            }
        };
        self.given = self.given.saturating_add(count as u64);
        let taken = self.taken.load(Ordering::Relaxed);
        self.bound
            .check(taken, self.given, &self.what)
            .map_err(ContentError::into_io)?;
        Ok(count)
    }
}

struct Counted {
    file: File,
    taken: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.taken.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}
