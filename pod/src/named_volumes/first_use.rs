//! The first use of a volume: who mounts it first may fill it.
//!
//! A volume that nobody has mounted has a mark. Who is about to mount it holds the lock of its directory until what goes
//! into it is there and the mark is gone. What comes is made beside its place and renamed, so that one who is killed
//! meanwhile leaves a volume that the next one fills.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use rustix::fs::{FlockOperation, syncfs};

use super::size_limit;
use super::volume::{NamedVolume, VolumesPin};
use crate::error::PodError;
use crate::lock::lock_path;
use crate::removal;

/// The mark of a volume that nobody has mounted.
pub(super) const FRESH: &str = "fresh";
/// What is about to be in it.
pub(super) const DATA_NEW: &str = "data.new";

/// What came of a volume that was to be filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirstUse {
    /// It was filled.
    Filled,
    /// It was not to be filled, or there was nothing.
    Empty,
    /// It had files already, though nobody had mounted it.
    HadFiles,
}

/// What came of the wish to be the first.
#[derive(Debug)]
pub enum Claim<'a> {
    /// Nobody else can fill the volume, and nobody removes it, until this is dropped.
    First(FirstFill<'a>),
    /// Another command fills it right now.
    Busy,
    /// Somebody has mounted it before.
    UsedBefore,
}

/// The right to fill a volume.
#[derive(Debug)]
pub struct FirstFill<'a> {
    volume: &'a NamedVolume,
    _alone: File,
}

impl NamedVolume {
    /// Claims the right to fill the volume.
    ///
    /// # Errors
    /// [`PodError::Io`].
    pub fn claim(&self, _pin: &VolumesPin) -> Result<Claim<'_>, PodError> {
        let mark = self.path.join(FRESH);
        if !is_there(&mark)? {
            return Ok(Claim::UsedBefore);
        }
        let alone = match lock_path(&self.path, FlockOperation::NonBlockingLockExclusive) {
            Err(PodError::Io { source, .. }) if source.kind() == io::ErrorKind::WouldBlock => {
                return Ok(Claim::Busy);
            }
            other => other?,
        };
        Ok(match is_there(&mark)? {
            false => Claim::UsedBefore,
            true => Claim::First(FirstFill {
                volume: self,
                _alone: alone,
            }),
        })
    }
}

impl FirstFill<'_> {
    /// Takes the volume into use. Nobody can fill it from then on. If it has no files, `fill` makes a directory of the path
    /// that it gets, with what is to be in the volume, or says that there is nothing. No pin is needed meanwhile.
    ///
    /// # Errors
    /// Those of `fill`, or [`PodError::Io`]; it is as unused as before then.
    pub fn fill<E: From<PodError>>(
        self,
        fill: impl FnOnce(&Path) -> Result<bool, E>,
    ) -> Result<FirstUse, E> {
        let volume = self.volume;
        let (data, data_new) = (volume.data(), volume.path.join(DATA_NEW));
        let outcome = match has_files(&data)? {
            true => FirstUse::HadFiles,
            false => {
                remove_all(&data_new)?;
                let filled = match volume.record.limit {
                    Some(_) => size_limit::held_to_limits(&data_new, || fill(&data_new)),
                    None => fill(&data_new),
                };
                match filled {
                    Ok(true) => {
                        volume.put_in_place(&data_new, &data)?;
                        FirstUse::Filled
                    }
                    Ok(false) => FirstUse::Empty,
                    Err(error) => {
                        // The failure that led here is the one to tell of.
                        let _ = remove_all(&data_new);
                        return Err(error);
                    }
                }
            }
        };
        let mark = volume.path.join(FRESH);
        fs::remove_file(&mark).map_err(PodError::io("remove", &mark))?;
        Ok(outcome)
    }
}

impl NamedVolume {
    fn put_in_place(&self, data_new: &Path, data: &Path) -> Result<(), PodError> {
        self.record.ownership.give(data_new)?;
        // After a power failure nobody would know that a part is missing.
        if has_files(data_new)? {
            let opened = File::open(data_new).map_err(PodError::io("open", data_new))?;
            syncfs(&opened).map_err(PodError::errno("sync", data_new))?;
        }
        fs::rename(data_new, data).map_err(PodError::io("rename", data_new))
    }
}

fn is_there(path: &Path) -> Result<bool, PodError> {
    path.try_exists().map_err(PodError::io("look at", path))
}

fn has_files(directory: &Path) -> Result<bool, PodError> {
    let mut entries = fs::read_dir(directory).map_err(PodError::io("read", directory))?;
    Ok(entries.next().is_some())
}

/// Removes a directory, whatever is in it. What isn't there is gone.
pub(super) fn remove_all(directory: &Path) -> Result<(), PodError> {
    // Somebody may have put something else in its place.
    match fs::symlink_metadata(directory) {
        Ok(found) if !found.is_dir() => {
            return fs::remove_file(directory).map_err(PodError::io("remove", directory));
        }
        _ => {}
    }
    removal::empty(directory)?;
    match fs::remove_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.map_err(PodError::io("remove", directory)),
    }
}
