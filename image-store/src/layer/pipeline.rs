//! A layer from its compressed stream to its tree, in one pass.
//!
//! Three steps work at once where the layer is large enough to pay for threads: taking in (read,
//! hash, keep), inflating (inflate, hash), and unpacking. Small layers go through the same steps on
//! one thread. What is between the steps is bounded, so memory does not grow with the layer.

use std::io::{self, BufRead, Read};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;

use oci_spec::image::Digest;
use rustix::fs::{Mode, OFlags, open};

use super::extract::{Extracted, extract};
use super::inflate::Inflate;
use super::intake::Intake;
use crate::error::StoreError;
use crate::limits::{InflateBound, Limits};
use crate::seal::Record;

/// Compressed bytes from which threads pay.
const THREADED: u64 = 1 << 20;
const CHUNK: usize = 256 << 10;
/// Chunks that may wait between two steps.
const QUEUE: usize = 4;

/// One layer to be unpacked.
pub(crate) struct LayerJob<'a> {
    /// For messages.
    pub(crate) what: &'a str,
    /// Compressed bytes, to choose the way.
    pub(crate) size: u64,
    /// Digest of the inflated stream.
    pub(crate) diff_id: &'a Digest,
    /// An empty folder that becomes the root of the layer.
    pub(crate) root: &'a Path,
    /// What is too much.
    pub(crate) limits: &'a Limits,
}

/// What came of a layer.
pub(crate) type Unpacked = Extracted;

impl LayerJob<'_> {
    /// Unpacks the layer. When this returns `Ok`, digest, size and diff ID are proven, and `record`
    /// knows the contents.
    pub(crate) fn run(
        &self,
        intake: Intake<'_>,
        record: &mut Record,
    ) -> Result<Unpacked, StoreError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let root = open(self.root, flags, Mode::empty())
            .map_err(|error| StoreError::io("cannot open", self.root, error))?;
        if self.size < THREADED {
            self.alone(intake, root, record)
        } else {
            self.threaded(intake, root, record)
        }
    }

    /// How far the stream may inflate.
    fn bound(&self) -> InflateBound {
        self.limits.inflating()
    }

    fn alone(
        &self,
        mut intake: Intake<'_>,
        root: OwnedFd,
        record: &mut Record,
    ) -> Result<Unpacked, StoreError> {
        Inflate::new(&mut intake, self.what, self.diff_id, self.bound())
            .and_then(|inflate| extract(inflate, root, self.root, self.what, self.limits, record))
            .map_err(|error| better(error, || intake.verdict()))
    }

    fn threaded(
        &self,
        mut intake: Intake<'_>,
        root: OwnedFd,
        record: &mut Record,
    ) -> Result<Unpacked, StoreError> {
        let no_thread = |error| StoreError::io("cannot start a thread for", self.root, error);
        let (what, diff_id, bound) = (self.what, self.diff_id, self.bound());
        thread::scope(|scope| {
            let (compressed, from_intake) = stream();
            let (inflated, from_inflate) = stream();
            let taking = thread::Builder::new()
                .name("layer-intake".to_owned())
                .spawn_scoped(scope, move || {
                    compressed.pump(|buffer| intake.fill(buffer));
                    // Whoever reads may have given up before the end: the blob may be to blame.
                    intake.verdict()
                })
                .map_err(no_thread)?;
            thread::Builder::new()
                .name("layer-inflate".to_owned())
                .spawn_scoped(scope, move || {
                    match Inflate::new(from_intake, what, diff_id, bound) {
                        Ok(mut inflate) => inflated.pump(|buffer| inflate.fill(buffer)),
                        Err(error) => inflated.fail(error),
                    }
                })
                .map_err(no_thread)?;
            let unpacked = extract(
                from_inflate,
                root,
                self.root,
                self.what,
                self.limits,
                record,
            );
            let taken = taking.join().unwrap_or(Ok(()));
            unpacked.map_err(|error| better(error, || taken))
        })
    }
}

/// A blob that is not the one that was asked for is the better reason for contents that are bad.
fn better(error: StoreError, verdict: impl FnOnce() -> Result<(), StoreError>) -> StoreError {
    match error {
        StoreError::CorruptCompression { .. }
        | StoreError::CorruptLayer { .. }
        | StoreError::UnsafeEntry { .. }
        | StoreError::Truncated { .. }
        | StoreError::DigestMismatch { .. } => verdict().err().unwrap_or(error),
        other => other,
    }
}

/// Some bytes, none at the proven end, or why there are no more.
type Chunk = Result<Vec<u8>, StoreError>;

/// The giving end between two steps.
struct Pump {
    chunks: SyncSender<Chunk>,
    used: Receiver<Vec<u8>>,
}

/// The reading end between two steps.
struct Chunks {
    chunks: Receiver<Chunk>,
    used: Sender<Vec<u8>>,
    current: Vec<u8>,
    position: usize,
    ended: bool,
}

fn stream() -> (Pump, Chunks) {
    let (chunks, from_pump) = sync_channel(QUEUE);
    let (used, from_chunks) = channel();
    let pump = Pump {
        chunks,
        used: from_chunks,
    };
    (
        pump,
        Chunks {
            chunks: from_pump,
            used,
            current: Vec::new(),
            position: 0,
            ended: false,
        },
    )
}

impl Pump {
    /// Hands on what `fill` gives until it gives nothing or an error, or nobody reads any more.
    fn pump(self, mut fill: impl FnMut(&mut [u8]) -> Result<usize, StoreError>) {
        loop {
            let mut buffer = self.used.try_recv().unwrap_or_default();
            buffer.resize(CHUNK, 0);
            let chunk = fill(&mut buffer).map(|filled| {
                buffer.truncate(filled);
                buffer
            });
            let last = !matches!(&chunk, Ok(bytes) if !bytes.is_empty());
            if self.chunks.send(chunk).is_err() || last {
                return;
            }
        }
    }

    fn fail(&self, error: StoreError) {
        // Nobody reads any more: then nobody wants to know either.
        drop(self.chunks.send(Err(error)));
    }
}

impl Read for Chunks {
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

impl BufRead for Chunks {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.position >= self.current.len() && !self.ended {
            let used = std::mem::take(&mut self.current);
            self.position = 0;
            if !used.is_empty() {
                // The other end may have finished.
                drop(self.used.send(used));
            }
            // A channel that closes without an end proves nothing.
            let chunk = self
                .chunks
                .recv()
                .map_err(|_| io::ErrorKind::UnexpectedEof)?;
            self.current = chunk.map_err(StoreError::into_io)?;
            self.ended = self.current.is_empty();
        }
        Ok(self.current.get(self.position..).unwrap_or_default())
    }

    fn consume(&mut self, amount: usize) {
        self.position = self.position.saturating_add(amount).min(self.current.len());
    }
}
