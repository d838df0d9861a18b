//! What a start asks: is each layer as it was unpacked?

use std::ffi::CStr;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use rustix::fs::{AtFlags, fstat, statat};

use super::block::Reader;
use super::compare::against_seal;
use super::facts::Facts;
use super::file::{Input, SEAL};
use super::tree_walk::open_root;
use crate::error::ContentError;
use crate::layer::Layer;
use crate::worker;

/// Files from which a second thread pays.
const THREADED: u64 = 4000;
/// Threads of a check; the work is the kernel's, and short.
const THREADS: usize = 4;

/// How deep a check of layers goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Every inode is compared with the seal; no content is read.
    Inodes,
    /// The contents of all files too, and directories are searched for what doesn't belong there.
    Contents,
}

/// Checks layers against their seals, which `folder` tells the place of. Nothing is written.
///
/// # Errors
/// [`ContentError::Unsealed`] where there is no (whole) seal of this very tree,
/// [`ContentError::LayerChanged`] where something was changed since it was unpacked.
pub fn check(
    layers: &[Layer],
    folder: impl Fn(&Layer) -> PathBuf,
    depth: Depth,
) -> Result<(), ContentError> {
    let sealed = layers
        .iter()
        .map(|layer| Sealed::open(folder(layer), layer))
        .collect::<Result<Vec<_>, _>>()?;
    if !inodes_are_as_sealed(&sealed)? {
        // Now it may take a while: what was changed is looked for.
        for one in &sealed {
            one.explain(None)?;
        }
        // Inodes of another file system, or it is as it should be again.
        if let Some(one) = sealed.first()
            && !inodes_are_as_sealed(&sealed)?
        {
            return Err(ContentError::LayerChanged {
                diff_id: one.layer.diff_id.clone(),
                change: "something is mounted over a file of it".to_owned(),
                more: 0,
            });
        }
    }
    if depth == Depth::Contents {
        let threads = processors();
        for one in &sealed {
            one.explain(Some(threads))?;
        }
    }
    Ok(())
}

/// A layer with its seal.
struct Sealed<'a> {
    layer: &'a Layer,
    folder: PathBuf,
    root: OwnedFd,
    device: u64,
    input: Input,
}

impl<'a> Sealed<'a> {
    fn open(folder: PathBuf, layer: &'a Layer) -> Result<Self, ContentError> {
        let input = Input::open(&folder, SEAL, &layer.diff_id)?;
        let root = open_root(&layer.path)?;
        let stat = |file: &OwnedFd, path: &Path| {
            fstat(file).map_err(|error| ContentError::io("cannot look at", path, error))
        };
        let device = stat(&root, &layer.path)?.st_dev;
        // Something mounted over the tree has a device of its own.
        let beside = rustix::fs::stat(&folder)
            .map_err(|error| ContentError::io("cannot look at", &folder, error))?;
        if device != beside.st_dev {
            return Err(ContentError::LayerChanged {
                diff_id: layer.diff_id.clone(),
                change: "something is mounted over its root".to_owned(),
                more: 0,
            });
        }
        check_marker(&folder, &input, layer)?;
        Ok(Self {
            layer,
            folder,
            root,
            device,
            input,
        })
    }

    /// Whether all entries of a block show what was sealed.
    fn block(&self, number: u32, buffer: &mut Vec<u8>) -> Result<bool, ContentError> {
        let mut reader = Reader::new(self.input.block(number, buffer)?);
        while let Some(facts) = reader.next().map_err(|_| self.input.damaged())? {
            let path =
                CStr::from_bytes_with_nul(reader.path()).map_err(|_| self.input.damaged())?;
            let path = if path.is_empty() { c"." } else { path };
            match statat(&self.root, path, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => {
                    if Facts::of(&stat).to_bytes() != *facts || stat.st_dev != self.device {
                        return Ok(false);
                    }
                }
                // Missing, or its directory is none any more: the explanation says which.
                Err(_) => return Ok(false),
            }
        }
        Ok(true)
    }

    /// Finds all that differs, in contents too with so many threads.
    fn explain(&self, contents: Option<usize>) -> Result<(), ContentError> {
        against_seal(self.layer, &self.folder, contents)?.into_result(&self.layer.diff_id)
    }
}

/// The file that says that a layer hides all below it decides what an app sees, too.
pub(super) fn check_marker(
    folder: &Path,
    input: &Input,
    layer: &Layer,
) -> Result<(), ContentError> {
    let marker = folder.join("opaque");
    let marked = marker
        .try_exists()
        .map_err(|error| ContentError::io("cannot look for", &marker, error))?;
    if marked == input.opaque {
        return Ok(());
    }
    let what = if marked { "was added" } else { "was removed" };
    Err(ContentError::LayerChanged {
        diff_id: layer.diff_id.clone(),
        change: format!("its file \"opaque\", which hides the layers below, {what}"),
        more: 0,
    })
}

fn inodes_are_as_sealed(layers: &[Sealed<'_>]) -> Result<bool, ContentError> {
    let entries = layers
        .iter()
        .fold(0_u64, |sum, one| sum.saturating_add(one.input.entries));
    let threads = match entries {
        0..THREADED => 1,
        _ => processors().min(THREADS),
    };
    let blocks: Vec<u32> = layers.iter().map(|one| one.input.blocks).collect();
    all_blocks(&blocks, threads, |layer, number, buffer| {
        // There are as many layers as counts of blocks.
        layers
            .get(layer)
            .map_or(Ok(false), |one| one.block(number, buffer))
    })
}

/// Whether all blocks are as they should be, of layers with so many blocks each. `check` is given a
/// layer's place, a block's number in it, and a buffer to use again. The first that is not ends it.
fn all_blocks(
    blocks: &[u32],
    threads: usize,
    check: impl Fn(usize, u32, &mut Vec<u8>) -> Result<bool, ContentError> + Sync,
) -> Result<bool, ContentError> {
    let next = AtomicU64::new(0);
    let changed = AtomicBool::new(false);
    let work = || -> Result<(), ContentError> {
        let mut buffer = Vec::new();
        while !changed.load(Ordering::Relaxed) {
            let mut number = next.fetch_add(1, Ordering::Relaxed);
            let layer = blocks.iter().position(|here| {
                let here = u64::from(*here);
                let found = number < here;
                if !found {
                    number -= here;
                }
                found
            });
            let (Some(layer), Ok(number)) = (layer, u32::try_from(number)) else {
                return Ok(());
            };
            if !check(layer, number, &mut buffer)? {
                changed.store(true, Ordering::Relaxed);
            }
        }
        Ok(())
    };
    thread::scope(|scope| {
        let others: Vec<_> = (1..threads)
            // Without another thread it only takes longer.
            .filter_map(|_| {
                thread::Builder::new()
                    .name("seal".to_owned())
                    .spawn_scoped(scope, work)
                    .ok()
            })
            .collect();
        let mut result = work();
        for other in others {
            result = result.and(worker::outcome(other.join(), "the check of a layer"));
        }
        result
    })?;
    Ok(!changed.load(Ordering::Relaxed))
}

/// Processors that this process may use: one system call.
pub fn processors() -> usize {
    rustix::thread::sched_getaffinity(None).map_or(1, |set| set.count().max(1) as usize)
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    #[test]
    fn every_block_of_every_layer_is_checked_once() {
        for threads in [1, 3] {
            let seen = std::sync::Mutex::new(Vec::new());
            let same = all_blocks(&[2, 0, 3], threads, |layer, number, _| {
                seen.lock().unwrap().push((layer, number));
                Ok(true)
            });
            assert!(same.unwrap());
            let mut seen = seen.into_inner().unwrap();
            seen.sort_unstable();
            assert_eq!(seen, [(0, 0), (0, 1), (2, 0), (2, 1), (2, 2)]);
        }
    }

    #[test]
    fn one_block_that_differs_is_enough() {
        let same = all_blocks(&[4], 2, |_, number, _| Ok(number != 2));
        assert!(!same.unwrap());
    }

    #[test]
    fn a_check_whose_thread_panics_is_no_pass() {
        // Each of the two threads has one block; the other thread's check panics.
        let both = Barrier::new(2);
        let checked = all_blocks(&[2], 2, |_, _, _| {
            both.wait();
            if thread::current().name() == Some("seal") {
                panic!("on purpose");
            }
            Ok(true)
        });
        assert!(
            matches!(checked, Err(ContentError::WorkerPanicked { .. })),
            "{checked:?}"
        );
    }
}
