//! Volumes that outlive pods: directories below `volumes/`.
//!
//! A volume is made under a name that nobody looks at, and renamed: of several who make one of a name, one succeeds. It is
//! removed the other way round. Who looks for a volume in order to use it holds a [`VolumesPin`] until its pod's manifest
//! names it; who removes one is alone ([`VolumesAlone`]), and so finds every pod that uses it.

mod first_use;
mod name;
mod ownership;
mod record;
mod size_limit;
#[cfg(test)]
mod tests;
mod volume;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FlockOperation, RenameFlags, renameat_with};
use rustix::io::Errno;

pub use self::first_use::FirstUse;
use self::first_use::{DATA_NEW, FRESH, remove_all};
pub use self::name::{InvalidVolumeName, NAMED_VOLUME_NAME_MAX, NamedVolumeName};
pub use self::ownership::Ownership;
pub use self::record::{VOLUME_VERSION, VolumeRecord};
use self::size_limit::Projects;
pub use self::size_limit::SizeLimit;
use self::volume::DATA;
pub use self::volume::{NamedVolume, VolumesPin};
use crate::error::PodError;
use crate::id::PodUuid;
use crate::lock::lock_dir;
use crate::private_dir;
use crate::record as records;
use crate::timestamp::Timestamp;

/// The directory of all of them, below the data directory.
const VOLUMES: &str = "volumes";
/// The record of one.
const RECORD: &str = "volume.json";
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

/// Something that nobody finds any more and that is still to be removed.
#[derive(Debug)]
#[must_use]
pub struct Discarded {
    path: PathBuf,
    /// The project ID that is free once it is gone.
    project: Option<(Projects, u32)>,
}

impl Discarded {
    /// Removes it. Others may do the same.
    ///
    /// # Errors
    /// [`PodError::Io`]; a sweep tries again.
    pub fn remove(self) -> Result<(), PodError> {
        remove_all(&self.path)?;
        match self.project {
            Some((projects, project)) => projects.release(project),
            None => Ok(()),
        }
    }
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
        let locked = match lock_dir(&self.root, FlockOperation::LockShared) {
            Err(PodError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                private_dir::make(&self.root)?;
                lock_dir(&self.root, FlockOperation::LockShared)
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
                let waited = lock_dir(&self.root, FlockOperation::LockExclusive);
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
        match lock_dir(&self.root, FlockOperation::NonBlockingLockExclusive) {
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
        self.create_with(new, pin, None::<fn(&Path) -> Result<(), PodError>>)
    }

    /// Makes a volume. What `fill` puts into its directory is in it from the beginning, and nothing else is put into it by
    /// who mounts it first.
    ///
    /// # Errors
    /// Those of `fill`, or [`PodError::Io`]; nothing of it is left then.
    pub fn create_with<E: From<PodError>>(
        &self,
        new: NewVolume,
        _pin: &VolumesPin,
        fill: Option<impl FnOnce(&Path) -> Result<(), E>>,
    ) -> Result<Option<NamedVolume>, E> {
        let path = self.path(&new.name);
        if path.try_exists().map_err(PodError::io("look at", &path))? {
            return Ok(None);
        }
        let mut record = VolumeRecord {
            version: records::Version,
            name: new.name,
            created: Timestamp::now(),
            labels: new.labels,
            ownership: new.ownership,
            limit: None,
        };
        let projects = self.projects();
        let limit = new.size.map(|size| (&projects, size));
        let passing = self.passing();
        let made = make(&passing, &mut record, limit, fill);
        let made = made.and_then(|()| Ok(publish(&passing, &path)?));
        if !matches!(made, Ok(true)) {
            let project = record.limit.map(|limit| (projects, limit.project));
            let discarded = Discarded {
                path: passing,
                project,
            };
            // The failure that led here is the one to tell of.
            let _ = discarded.remove();
        }
        Ok(made?.then_some(NamedVolume { path, record }))
    }

    /// Takes a volume out of everybody's sight; `None` if there is none of that name.
    ///
    /// # Errors
    /// [`PodError::Io`].
    pub fn discard(
        &self,
        name: &NamedVolumeName,
        _alone: &VolumesAlone,
    ) -> Result<Option<Discarded>, PodError> {
        let path = self.path(name);
        let project = self.project_of(&path);
        let discarded = self.out_of_sight(&path)?;
        Ok(discarded.map(|discarded| Discarded {
            project,
            ..discarded
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
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
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
            if name.starts_with(PASSING) {
                let path = self.root.join(name);
                let project = self.project_of(&path);
                left.push(Discarded { path, project });
            } else {
                left.extend(self.out_of_sight(&self.root.join(name).join(DATA_NEW))?);
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

fn make<E: From<PodError>>(
    path: &Path,
    record: &mut VolumeRecord,
    limit: Option<(&Projects, u64)>,
    fill: Option<impl FnOnce(&Path) -> Result<(), E>>,
) -> Result<(), E> {
    let directory = |path: &Path| {
        let made = DirBuilder::new().mode(0o700).create(path);
        made.map_err(PodError::io("create", path))
    };
    directory(path)?;
    if let Some((projects, bytes)) = limit {
        // Before there is anything in it, and for all that will be: what fills the volume is made beside its place.
        record.limit = Some(projects.limit(path, &record.name, bytes)?);
    }
    let data = path.join(DATA);
    directory(&data)?;
    let ownership = Ownership {
        mode: Some(record.ownership.mode.unwrap_or(0o755)),
        ..record.ownership
    };
    match fill {
        Some(fill) => {
            // What fills it may say otherwise.
            ownership.give(&data)?;
            match record.limit {
                Some(_) => size_limit::held_to_limits(&data, || fill(&data))?,
                None => fill(&data)?,
            }
            record.ownership.give(&data)?;
        }
        None => {
            ownership.give(&data)?;
            let mark = path.join(FRESH);
            File::create(&mark).map_err(PodError::io("create", &mark))?;
        }
    }
    // A volume may hold what nobody can make again: a power failure must not leave it with a record that is torn.
    let at = path.join(RECORD);
    let bytes = serde_json::to_vec(record).map_err(|e| PodError::Protocol(e.to_string()))?;
    let mut file = File::create(&at).map_err(PodError::io("create", &at))?;
    file.write_all(&bytes)
        .and_then(|()| file.sync_all())
        .map_err(PodError::io("write", &at))?;
    Ok(())
}

/// Gives a volume its name; false if another has it.
fn publish(passing: &Path, path: &Path) -> Result<bool, PodError> {
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
