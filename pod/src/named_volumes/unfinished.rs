//! A volume that is being made: under a name that nobody looks at, and locked, so that it is not taken for what a killed
//! command has left.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FlockOperation, RenameFlags, renameat_with};
use rustix::io::Errno;

use super::discarded::Discarded;
use super::first_use::FRESH;
use super::ownership::Ownership;
use super::record::VolumeRecord;
use super::size_limit::{self, Projects};
use super::volume::{DATA, NamedVolume, RECORD, VolumesPin};
use crate::error::PodError;
use crate::lock::lock_path;

/// A volume that nobody finds yet. It goes if it is not published.
#[derive(Debug)]
pub struct UnfinishedVolume {
    /// What it is until it has its name.
    passing: Option<Discarded>,
    path: PathBuf,
    record: VolumeRecord,
    _lock: File,
}

impl UnfinishedVolume {
    /// Makes it at `passing`, to become `path`, with a limit of so many bytes. It is empty, and new to who mounts it first.
    pub(super) fn make(
        passing: PathBuf,
        path: PathBuf,
        record: VolumeRecord,
        limit: Option<(&Projects, u64)>,
        _pin: &VolumesPin,
    ) -> Result<Self, PodError> {
        directory(&passing)?;
        let lock = lock_path(&passing, FlockOperation::NonBlockingLockExclusive)?;
        let mut unfinished = Self {
            path,
            record,
            _lock: lock,
            passing: Some(Discarded {
                path: passing.clone(),
                project: None,
            }),
        };
        if let Some((projects, bytes)) = limit {
            // Before there is anything in it, and for all that will be: what fills the volume is made beside its place.
            let limit = projects.limit(&passing, &unfinished.record.name, bytes)?;
            unfinished.record.limit = Some(limit);
            unfinished.passing = Some(Discarded {
                path: passing.clone(),
                project: Some((projects.clone(), limit.project)),
            });
        }
        unfinished.furnish(&passing)?;
        Ok(unfinished)
    }

    fn furnish(&self, passing: &Path) -> Result<(), PodError> {
        let data = passing.join(DATA);
        directory(&data)?;
        let ownership = Ownership {
            mode: Some(self.record.ownership.mode.unwrap_or(0o755)),
            ..self.record.ownership
        };
        ownership.give(&data)?;
        let mark = passing.join(FRESH);
        File::create(&mark).map_err(PodError::io("create", &mark))?;
        // A volume may hold what nobody can make again: a power failure must not leave it with a record that is torn.
        let at = passing.join(RECORD);
        let bytes = serde_json::to_vec(&self.record);
        let bytes = bytes.map_err(|error| PodError::Protocol(error.to_string()))?;
        let mut file = File::create(&at).map_err(PodError::io("create", &at))?;
        file.write_all(&bytes)
            .and_then(|()| file.sync_all())
            .map_err(PodError::io("write", &at))
    }

    /// Puts something into it, so that nothing else is put into it by who mounts it first. No pin is needed meanwhile.
    ///
    /// # Errors
    /// Those of `fill`, or [`PodError::Io`]; nothing of the volume is left then.
    pub fn fill<E: From<PodError>>(
        self,
        fill: impl FnOnce(&Path) -> Result<(), E>,
    ) -> Result<Self, E> {
        if let Some(Discarded { path: passing, .. }) = &self.passing {
            let data = passing.join(DATA);
            match self.record.limit {
                Some(_) => size_limit::held_to_limits(&data, || fill(&data))?,
                None => fill(&data)?,
            }
            // What fills it may have said otherwise.
            self.record.ownership.give(&data)?;
            let mark = passing.join(FRESH);
            fs::remove_file(&mark).map_err(PodError::io("remove", &mark))?;
        }
        Ok(self)
    }

    /// Gives it its name; `None` if another volume has it.
    ///
    /// # Errors
    /// [`PodError::Io`]; nothing of the volume is left then.
    pub fn publish(mut self, _pin: &VolumesPin) -> Result<Option<NamedVolume>, PodError> {
        let Some(Discarded { path: passing, .. }) = &self.passing else {
            return Ok(None);
        };
        if !rename(passing, &self.path)? {
            return Ok(None);
        }
        self.passing = None;
        Ok(Some(NamedVolume {
            path: self.path.clone(),
            record: self.record.clone(),
        }))
    }
}

impl Drop for UnfinishedVolume {
    fn drop(&mut self) {
        if let Some(passing) = self.passing.take() {
            // The failure that led here is the one to tell of; a sweep tries again.
            let _ = passing.remove();
        }
    }
}

fn directory(path: &Path) -> Result<(), PodError> {
    let made = DirBuilder::new().mode(0o700).create(path);
    made.map_err(PodError::io("create", path))
}

/// False if there is something of that name.
fn rename(passing: &Path, path: &Path) -> Result<bool, PodError> {
    match renameat_with(CWD, passing, CWD, path, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(true),
        Err(Errno::EXIST) => Ok(false),
        // A filesystem that doesn't know that: a directory takes the place of none that has something in it.
        Err(Errno::INVAL) => match fs::rename(passing, path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(false),
            Err(error) => Err(PodError::io("rename", passing)(error)),
        },
        Err(errno) => Err(PodError::errno("rename", passing)(errno)),
    }
}
