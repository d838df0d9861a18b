//! Volumes that outlive pods: directories below `volumes/`.
//!
//! A volume is made under a name that nobody looks at, and renamed: of several who make one of a name, one succeeds. It is
//! removed the other way round. Who looks for a volume in order to use it holds a [`VolumesPin`] until its pod's manifest
//! names it; who removes one is alone ([`VolumesAlone`]), and so finds every pod that uses it. What takes its time, such as
//! reading or filling one from a pipe, is done under a lock of that volume, so that nobody who is about another waits.

mod discarded;
mod first_use;
mod name;
mod ownership;
mod record;
mod size_limit;
#[cfg(test)]
mod tests;
mod unfinished;
mod volume;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;

pub use self::discarded::Discarded;
use self::first_use::DATA_NEW;
pub use self::first_use::{Claim, FirstFill, FirstUse};
pub use self::name::{InvalidVolumeName, NAMED_VOLUME_NAME_MAX, NamedVolumeName};
pub use self::ownership::Ownership;
pub use self::record::{VOLUME_VERSION, VolumeRecord};
use self::size_limit::Projects;
pub use self::size_limit::{SizeLimit, has_project_quotas};
pub use self::unfinished::UnfinishedVolume;
use self::volume::{DATA, RECORD, free};
pub use self::volume::{NamedVolume, VolumeHold, VolumesPin};
use crate::error::PodError;
use crate::id::PodUuid;
use crate::lock::lock_path;
use crate::private_dir;
use crate::record as records;
use crate::timestamp::Timestamp;

/// The directory of all of them, below the data directory.
const VOLUMES: &str = "volumes";
/// How names begin under which volumes are made, and removed. No volume is called so.
const PASSING: &str = ".passing-";

/// The directory of all volumes that outlive pods, below the data directory.
pub fn volumes_dir(data_dir: &Path) -> PathBuf {
    data_dir.join(VOLUMES)
}

/// Where the files of such a volume are, below that directory.
pub fn data_of(name: &NamedVolumeName) -> PathBuf {
    Path::new(name.as_str()).join(DATA)
}

/// `volumes/` below the data directory.
#[derive(Debug, Clone)]
pub struct NamedVolumes {
    root: PathBuf,
}

/// Nobody looks for a volume, makes one or fills one while this lives.
#[derive(Debug)]
pub struct VolumesAlone(#[expect(dead_code, reason = "it is held, not read")] File);

/// What a new volume is to be like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewVolume {
    /// Its name.
    pub name: NamedVolumeName,
    /// What it is found by.
    pub labels: BTreeMap<String, String>,
    /// Whose its root directory is.
    pub ownership: Ownership,
    /// The most that it holds, in bytes.
    pub size: Option<u64>,
}

impl NewVolume {
    /// One of which nothing is asked but its name.
    pub fn called(name: NamedVolumeName) -> Self {
        Self {
            name,
            labels: BTreeMap::new(),
            ownership: Ownership::default(),
            size: None,
        }
    }
}

/// What came of a removal.
#[derive(Debug)]
#[must_use]
pub enum Discarding {
    /// Nobody finds it any more.
    Done(Discarded),
    /// There is none of that name.
    Missing,
    /// A command is about to read or fill it.
    Held,
}

impl NamedVolumes {
    /// The volumes below a data directory. Nothing is created.
    pub fn new(data_dir: &Path) -> Self {
        Self {
            root: volumes_dir(data_dir),
        }
    }

    /// Keeps all volumes where they are. Waits for one who removes some.
    ///
    /// # Errors
    /// [`PodError::Io`].
    pub fn pin(&self) -> Result<VolumesPin, PodError> {
        let locked = match lock_path(&self.root, FlockOperation::LockShared) {
            Err(PodError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                private_dir::make(&self.root)?;
                lock_path(&self.root, FlockOperation::LockShared)
            }
            other => other,
        };
        locked.map(VolumesPin)
    }

    /// Waits until nobody looks for a volume, makes one or fills one; `tell` is called if that is not at once. `None` if
    /// there never was a volume.
    ///
    /// # Errors
    /// [`PodError::Io`].
    pub fn alone(&self, tell: impl FnOnce()) -> Result<Option<VolumesAlone>, PodError> {
        match self.alone_now() {
            Err(PodError::Io { source, .. }) if source.kind() == io::ErrorKind::WouldBlock => {
                tell();
                let waited = lock_path(&self.root, FlockOperation::LockExclusive);
                waited.map(VolumesAlone).map(Some)
            }
            other => other,
        }
    }

    /// As [`NamedVolumes::alone`], without waiting.
    ///
    /// # Errors
    /// [`PodError::Io`], of the kind [`io::ErrorKind::WouldBlock`] if somebody does.
    pub fn alone_now(&self) -> Result<Option<VolumesAlone>, PodError> {
        match lock_path(&self.root, FlockOperation::NonBlockingLockExclusive) {
            Err(PodError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                Ok(None)
            }
            other => other.map(VolumesAlone).map(Some),
        }
    }

    fn projects(&self) -> Projects {
        Projects::of(&self.root)
    }

    fn path(&self, name: &NamedVolumeName) -> PathBuf {
        self.root.join(name.as_str())
    }

    fn passing(&self) -> PathBuf {
        self.root.join(format!("{PASSING}{}", PodUuid::random()))
    }

    /// The volume of that name, if it is there.
    ///
    /// # Errors
    /// [`PodError`], if its record can't be read.
    pub fn get(&self, name: &NamedVolumeName) -> Result<Option<NamedVolume>, PodError> {
        let path = self.path(name);
        let record = records::read_if_there(&path.join(RECORD), VOLUME_VERSION)?;
        Ok(record.map(|record| NamedVolume { path, record }))
    }

    /// The names of all, sorted.
    ///
    /// # Errors
    /// [`PodError::Io`].
    pub fn names(&self) -> Result<Vec<NamedVolumeName>, PodError> {
        let names = self.entries()?.into_iter();
        let mut names: Vec<_> = names.filter_map(|name| name.parse().ok()).collect();
        names.sort_unstable();
        Ok(names)
    }

    fn entries(&self) -> Result<Vec<String>, PodError> {
        let entries = match fs::read_dir(&self.root) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(PodError::io("read", &self.root))?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(PodError::io("read", &self.root))?;
            names.extend(entry.file_name().into_string().ok());
        }
        Ok(names)
    }

    /// Makes an empty volume that nobody has used; `None` if there is one of that name.
    ///
    /// # Errors
    /// [`PodError::Io`]; nothing of it is left then.
    pub fn create(
        &self,
        new: NewVolume,
        pin: &VolumesPin,
    ) -> Result<Option<NamedVolume>, PodError> {
        match self.begin(new, pin)? {
            Some(unfinished) => unfinished.publish(pin),
            None => Ok(None),
        }
    }

    /// Begins to make a volume, which may take its time; `None` if there is one of that name.
    ///
    /// # Errors
    /// [`PodError::Io`]; nothing of it is left then.
    pub fn begin(
        &self,
        new: NewVolume,
        pin: &VolumesPin,
    ) -> Result<Option<UnfinishedVolume>, PodError> {
        let path = self.path(&new.name);
        if path.try_exists().map_err(PodError::io("look at", &path))? {
            return Ok(None);
        }
        let record = VolumeRecord {
            version: records::Version,
            name: new.name,
            created: Timestamp::now(),
            labels: new.labels,
            ownership: new.ownership,
            limit: None,
        };
        let projects = self.projects();
        let limit = new.size.map(|size| (&projects, size));
        UnfinishedVolume::make(self.passing(), path, record, limit, pin).map(Some)
    }

    /// Takes a volume out of everybody's sight.
    ///
    /// # Errors
    /// [`PodError::Io`].
    pub fn discard(
        &self,
        name: &NamedVolumeName,
        _alone: &VolumesAlone,
    ) -> Result<Discarding, PodError> {
        let path = self.path(name);
        // Kept until it has another name: a command that holds it has found it by this one.
        let Some(_free) = free(&path)? else {
            return Ok(Discarding::Held);
        };
        let project = self.project_of(&path);
        let discarded = self.out_of_sight(&path)?;
        Ok(discarded.map_or(Discarding::Missing, |discarded| {
            Discarding::Done(Discarded {
                project,
                ..discarded
            })
        }))
    }

    /// The project of what is a volume, will be one or was one. A record that can't be read names none; what it named is
    /// found by [`Self::release_projects`], once it is gone.
    fn project_of(&self, path: &Path) -> Option<(Projects, u32)> {
        let record: VolumeRecord =
            records::read_if_there(&path.join(RECORD), VOLUME_VERSION).ok()??;
        record.limit.map(|limit| (self.projects(), limit.project))
    }

    fn out_of_sight(&self, path: &Path) -> Result<Option<Discarded>, PodError> {
        let passing = self.passing();
        match fs::rename(path, &passing) {
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) =>
            {
                Ok(None)
            }
            other => other
                .map(|()| {
                    Some(Discarded {
                        path: passing,
                        project: None,
                    })
                })
                .map_err(PodError::io("rename", path)),
        }
    }

    /// What those have left who were killed while they made, filled or removed a volume.
    ///
    /// # Errors
    /// [`PodError::Io`].
    pub fn left(&self, _alone: &VolumesAlone) -> Result<Vec<Discarded>, PodError> {
        let mut left = Vec::new();
        for name in self.entries()? {
            let path = self.root.join(&name);
            // Who is at it is alive.
            let Some(_free) = free(&path)? else {
                continue;
            };
            if name.starts_with(PASSING) {
                let project = self.project_of(&path);
                left.push(Discarded { path, project });
            } else {
                left.extend(self.out_of_sight(&path.join(DATA_NEW))?);
            }
        }
        Ok(left)
    }

    /// Gives up the project IDs of volumes that are not there. Nothing happens while a record can't be read.
    ///
    /// # Errors
    /// [`PodError`].
    pub fn release_projects(&self, _alone: &VolumesAlone) -> Result<(), PodError> {
        let projects = self.projects();
        if projects.claimed()?.is_empty() {
            return Ok(());
        }
        let mut used = BTreeSet::new();
        for name in self.entries()? {
            let record = self.root.join(&name).join(RECORD);
            let read: Result<Option<VolumeRecord>, _> =
                records::read_if_there(&record, VOLUME_VERSION);
            let Ok(found) = read else {
                return Ok(());
            };
            used.extend(
                found
                    .and_then(|record| record.limit)
                    .map(|limit| limit.project),
            );
        }
        projects.release_others(&used)
    }
}
