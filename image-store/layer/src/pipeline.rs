//! A layer from its compressed stream to its tree, in one pass.
//!
//! Three steps work at once where the layer is large enough to pay for threads: taking in (read,
//! hash, keep), inflating, and unpacking (hash, write). Inflating is what takes longest, so it has a
//! thread to itself. Small layers go through the same steps on one thread. What is between the steps is
//! bounded, so memory does not grow with the layer.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;

use image_name::Digest;
use rustix::fs::{Mode, open};

use super::chunks::{Chunks, Proven, Reader};
use super::extract::{Extracted, extract};
use super::inflate::Inflate;
use super::intake::Intake;
use super::tree::FOLDER;
use super::window::WindowMemory;
use crate::error::ContentError;
use crate::limits::{InflateBound, Limits};
use crate::seal::Record;
use crate::worker;

/// Compressed bytes from which threads pay.
const THREADED: u64 = 1 << 20;
/// Chunks that may wait between two steps.
const QUEUE: usize = 4;

/// One layer to be unpacked.
pub struct LayerJob<'a> {
    /// For messages.
    pub what: &'a str,
    /// Compressed bytes, to choose the way.
    pub size: u64,
    /// Digest of the inflated stream.
    pub diff_id: &'a Digest,
    /// An empty directory that becomes the root of the layer.
    pub root: &'a Path,
    /// What is too much.
    pub limits: &'a Limits,
    /// Memory that layers share which are unpacked at once.
    pub memory: &'a WindowMemory,
}

impl LayerJob<'_> {
    /// Unpacks the layer. When this returns `Ok`, digest, size and diff ID are proven, and `record`
    /// knows the contents.
    pub fn run(&self, intake: Intake<'_>, record: &mut Record) -> Result<Extracted, ContentError> {
        let root = open(self.root, FOLDER, Mode::empty())
            .map_err(|error| ContentError::io("cannot open", self.root, error))?;
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
    ) -> Result<Extracted, ContentError> {
        Inflate::new(
            Reader::new(&mut intake),
            self.what,
            self.bound(),
            self.memory,
        )
        .and_then(|inflate| self.extract(inflate, root, record))
        .map_err(|error| better(error, || intake.verdict()))
    }

    /// The last step, which ends well only if the diff ID is the right one.
    fn extract(
        &self,
        inflated: impl Chunks,
        root: OwnedFd,
        record: &mut Record,
    ) -> Result<Extracted, ContentError> {
        let input = Reader::new(Proven::new(inflated, self.what, self.diff_id));
        extract(input, root, self.root, self.what, self.limits, record)
    }

    fn threaded(
        &self,
        mut intake: Intake<'_>,
        root: OwnedFd,
        record: &mut Record,
    ) -> Result<Extracted, ContentError> {
        let no_thread = |error| ContentError::io("cannot start a thread for", self.root, error);
        let (what, bound, memory) = (self.what, self.bound(), self.memory);
        thread::scope(|scope| {
            let (compressed, from_intake) = pipe();
            let (inflated, from_inflate) = pipe();
            let taking = thread::Builder::new()
                .name("layer-intake".to_owned())
                .spawn_scoped(scope, move || {
                    compressed.pump(&mut intake);
                    // Whoever reads may have given up before the end: the blob may be to blame.
                    intake.verdict()
                })
                .map_err(no_thread)?;
            let inflating = thread::Builder::new()
                .name("layer-inflate".to_owned())
                .spawn_scoped(scope, move || {
                    match Inflate::new(Reader::new(from_intake), what, bound, memory) {
                        Ok(inflate) => inflated.pump(inflate),
                        Err(error) => inflated.fail(error),
                    }
                    Ok(())
                })
                .map_err(no_thread)?;
            let unpacked = self.extract(from_inflate, root, record);
            let work = "the unpacking of a layer";
            worker::outcome(inflating.join(), work)?;
            let taken = match taking.join() {
                Ok(taken) => taken,
                Err(_) => return Err(ContentError::WorkerPanicked { work }),
            };
            unpacked.map_err(|error| better(error, || taken))
        })
    }
}

/// A blob that is not the one that was asked for is the better reason for contents that are bad.
fn better(error: ContentError, verdict: impl FnOnce() -> Result<(), ContentError>) -> ContentError {
    match error {
        ContentError::CorruptCompression { .. }
        | ContentError::CorruptLayer { .. }
        | ContentError::UnsafeEntry { .. }
        | ContentError::Truncated { .. }
        | ContentError::DigestMismatch { .. } => verdict().err().unwrap_or(error),
        other => other,
    }
}

/// Some bytes, none at the proven end, or why there are no more.
type Chunk = Result<Vec<u8>, ContentError>;

/// The giving end between two steps.
struct Pump {
    chunks: SyncSender<Chunk>,
    used: Receiver<Vec<u8>>,
}

/// The taking end between two steps.
struct Tap {
    chunks: Receiver<Chunk>,
    used: Sender<Vec<u8>>,
}

fn pipe() -> (Pump, Tap) {
    let (chunks, from_pump) = sync_channel(QUEUE);
    let (used, from_tap) = channel();
    let pump = Pump {
        chunks,
        used: from_tap,
    };
    (
        pump,
        Tap {
            chunks: from_pump,
            used,
        },
    )
}

impl Pump {
    /// Hands on what `source` gives until it ends or fails, or nobody takes any more.
    fn pump(self, mut source: impl Chunks) {
        loop {
            let mut buffer = self.used.try_recv().unwrap_or_default();
            let chunk = source.next(&mut buffer).map(|()| buffer);
            let last = !matches!(&chunk, Ok(bytes) if !bytes.is_empty());
            if self.chunks.send(chunk).is_err() || last {
                return;
            }
        }
    }

    fn fail(&self, error: ContentError) {
        // Nobody takes any more: then nobody wants to know either.
        drop(self.chunks.send(Err(error)));
    }
}

impl Chunks for Tap {
    fn next(&mut self, chunk: &mut Vec<u8>) -> Result<(), ContentError> {
        let used = std::mem::take(chunk);
        if !used.is_empty() {
            // The other end may have finished.
            drop(self.used.send(used));
        }
        // A step that ends without an end or an error proves nothing.
        *chunk = self.chunks.recv().map_err(|_| ContentError::Truncated {
            what: "what another step gave".to_owned(),
        })??;
        Ok(())
    }
}
