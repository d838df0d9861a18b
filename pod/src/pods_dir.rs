//! The directory of all pods, and the moves between its phases.

mod claims;

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, fstat};

use crate::claimed_pairs::ClaimedPairs;
use crate::error::PodError;
use crate::id::{InvalidId, PodName, PodUuid};
use crate::id_blocks::{self, IdBlocks};
use crate::lock::{LOCK_FILE, LockWatch, PodLock, lock_path};
use crate::manifest::PodManifest;
use crate::names::Names;
use crate::phase::{Phase, State};
use crate::private_dir;
use crate::removal;

/// `pods/` below the data directory.
#[derive(Debug, Clone)]
pub struct PodsDir {
    root: PathBuf,
    pub(crate) names: Names,
    id_blocks: IdBlocks,
    categories: ClaimedPairs,
}

/// A pod that was seen in a phase. Other commands may move it on at any moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodEntry {
    /// Its identity.
    pub uuid: PodUuid,
    /// The phase it was seen in.
    pub phase: Phase,
    /// Its directory in that phase.
    pub path: PathBuf,
}

impl PodEntry {
    /// Its state, from the phase and whether its lock is held now.
    ///
    /// # Errors
    /// [`PodError::Io`] if the lock can't be asked about.
    pub fn state(&self) -> Result<State, PodError> {
        let held = PodLock::is_held(&self.path)?;
        if self.phase == Phase::Prepare && !held {
            // Nobody holds a lock here; that tells nothing if the pod has moved on since it was seen.
            let data_dir = self.path.ancestors().nth(3).unwrap_or(&self.path);
            if let Some(now) = PodsDir::new(data_dir).by_uuid(self.uuid)?
                && now.phase != Phase::Prepare
            {
                return now.state();
            }
        }
        Ok(self.phase.state(held))
    }

    /// A look at its lock, also if it has become garbage since it was seen. `None` if it is gone.
    ///
    /// # Errors
    /// [`PodError::Io`] if the lock can't be opened.
    pub fn watch(&self) -> Result<Option<LockWatch>, PodError> {
        if let Some(watch) = LockWatch::open(&self.path)? {
            return Ok(Some(watch));
        }
        let pods = self.path.ancestors().nth(2).unwrap_or(&self.path);
        LockWatch::open(
            &pods
                .join(Phase::Garbage.dir_name())
                .join(self.uuid.to_string()),
        )
    }
}

/// A pod whose lock this process holds: nobody else moves or removes it.
#[derive(Debug)]
pub struct LockedPod {
    pods: PodsDir,
    entry: PodEntry,
    lock: PodLock,
}

impl PodsDir {
    /// The pods below a data directory. Nothing is created.
    pub fn new(data_dir: &Path) -> Self {
        let root = data_dir.join("pods");
        let names = Names::new(root.join("names"));
        Self {
            root,
            names,
            id_blocks: IdBlocks::new(data_dir.join(id_blocks::DIRECTORY)),
            categories: ClaimedPairs::new(data_dir.join("selinux")),
        }
    }

    fn phase_dir(&self, phase: Phase) -> PathBuf {
        self.root.join(phase.dir_name())
    }

    fn entry(&self, phase: Phase, uuid: PodUuid) -> PodEntry {
        PodEntry {
            uuid,
            phase,
            path: self.phase_dir(phase).join(uuid.to_string()),
        }
    }

    /// Makes the directory of a new pod in phase `prepare`, locked.
    ///
    /// # Errors
    /// [`PodError::Io`] if it can't be made.
    pub fn create(&self, uuid: PodUuid) -> Result<LockedPod, PodError> {
        let prepare = self.phase_dir(Phase::Prepare);
        // Shared: a sweep (exclusive) never sees the directory between its making and its locking.
        let _sweep_waits = match lock_path(&prepare, FlockOperation::LockShared) {
            Err(PodError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                private_dir::make_spread(&prepare)?;
                lock_path(&prepare, FlockOperation::LockShared)?
            }
            other => other?,
        };
        let entry = self.entry(Phase::Prepare, uuid);
        DirBuilder::new()
            .mode(0o700)
            .create(&entry.path)
            .map_err(PodError::io("create", &entry.path))?;
        let lock = PodLock::acquire(&entry.path).inspect_err(|_| {
            // Empty, or with a lock that nobody has; what stays is left to a sweep.
            let _ = fs::remove_file(entry.path.join(LOCK_FILE));
            let _ = fs::remove_dir(&entry.path);
        })?;
        let lock = lock.ok_or(PodError::Locked(uuid))?;
        Ok(LockedPod {
            pods: self.clone(),
            entry,
            lock,
        })
    }

    /// All pods, each in the furthest phase in which it was seen.
    ///
    /// # Errors
    /// [`PodError::Io`] if a phase's directory can't be read; a missing one is empty.
    pub fn list(&self) -> Result<Vec<PodEntry>, PodError> {
        // In the order of a pod's life: one that moves on meanwhile is seen at least once.
        let mut seen = std::collections::BTreeMap::new();
        for phase in Phase::ALL {
            for uuid in self.uuids_in(phase)? {
                seen.insert(uuid, self.entry(phase, uuid));
            }
        }
        Ok(seen.into_values().collect())
    }

    /// All names of pods, and whose they are. Whose pod is gone may be among them.
    ///
    /// # Errors
    /// [`PodError::Io`] if the names can't be read.
    pub fn names(&self) -> Result<Vec<(PodName, PodUuid)>, PodError> {
        self.names.all()
    }

    /// The pods in one phase.
    ///
    /// # Errors
    /// As for [`PodsDir::list`].
    pub fn in_phase(&self, phase: Phase) -> Result<Vec<PodEntry>, PodError> {
        Ok(self
            .uuids_in(phase)?
            .into_iter()
            .map(|uuid| self.entry(phase, uuid))
            .collect())
    }

    fn uuids_in(&self, phase: Phase) -> Result<Vec<PodUuid>, PodError> {
        let dir = self.phase_dir(phase);
        let entries = match fs::read_dir(&dir) {
            Ok(entries) => entries,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(PodError::io("read", &dir)(e)),
        };
        let mut uuids = Vec::new();
        for entry in entries {
            let entry = entry.map_err(PodError::io("read", &dir))?;
            uuids.extend(
                entry
                    .file_name()
                    .to_str()
                    .and_then(|name| name.parse::<PodUuid>().ok()),
            );
        }
        uuids.sort_unstable();
        Ok(uuids)
    }

    /// The pod with this UUID, if it is in any phase.
    ///
    /// # Errors
    /// [`PodError::Io`] if a phase can't be looked at.
    pub fn by_uuid(&self, uuid: PodUuid) -> Result<Option<PodEntry>, PodError> {
        for phase in Phase::ALL {
            let entry = self.entry(phase, uuid);
            if entry
                .path
                .try_exists()
                .map_err(PodError::io("look at", &entry.path))?
            {
                return Ok(Some(entry));
            }
        }
        Ok(None)
    }

    /// The pod that a user means by a name, a UUID, or the beginning of one.
    /// Pods in `garbage` are no longer there for users.
    ///
    /// # Errors
    /// [`PodError::NoSuchPod`] or [`PodError::Ambiguous`].
    pub fn find(&self, selector: &str) -> Result<PodEntry, PodError> {
        let uuid = match selector.parse::<PodUuid>() {
            Ok(uuid) => Some(uuid),
            Err(_) => self.names.holder(selector)?,
        };
        if let Some(uuid) = uuid {
            return match self.by_uuid(uuid)? {
                Some(entry) if entry.phase != Phase::Garbage => Ok(entry),
                _ => Err(PodError::NoSuchPod(selector.to_owned())),
            };
        }
        let mut matches: Vec<PodEntry> = if selector.is_empty() {
            Vec::new()
        } else {
            self.list()?
                .into_iter()
                .filter(|e| e.phase != Phase::Garbage && e.uuid.to_string().starts_with(selector))
                .collect()
        };
        match (matches.pop(), matches.as_slice()) {
            (None, _) => Err(PodError::NoSuchPod(selector.to_owned())),
            (Some(only), []) => Ok(only),
            (Some(last), others) => {
                let candidates: Vec<String> = others
                    .iter()
                    .chain([&last])
                    .map(|e| e.uuid.to_string())
                    .collect();
                Err(PodError::Ambiguous {
                    prefix: selector.to_owned(),
                    candidates: candidates.join(", "),
                })
            }
        }
    }

    /// Locks a pod that was seen before.
    ///
    /// # Errors
    /// [`PodError::Locked`] if another process holds the lock, [`PodError::NoSuchPod`] if the pod has
    /// moved on or gone since it was seen.
    pub fn lock(&self, entry: &PodEntry) -> Result<LockedPod, PodError> {
        let gone = || PodError::NoSuchPod(entry.uuid.to_string());
        let lock = match PodLock::acquire(&entry.path) {
            Ok(lock) => lock.ok_or(PodError::Locked(entry.uuid))?,
            Err(PodError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                return Err(gone());
            }
            Err(error) => return Err(error),
        };
        // The directory may have been renamed between opening and locking.
        match is_lock_of(&lock, &entry.path)? {
            true => Ok(LockedPod {
                pods: self.clone(),
                entry: entry.clone(),
                lock,
            }),
            false => Err(gone()),
        }
    }

    /// Locks every pod in `prepare` that no command is preparing any more.
    ///
    /// # Errors
    /// [`PodError::Io`] if the directory can't be read or locked.
    pub fn lock_aborted(&self) -> Result<Vec<LockedPod>, PodError> {
        let prepare = self.phase_dir(Phase::Prepare);
        let _creators_wait = match lock_path(&prepare, FlockOperation::LockExclusive) {
            Err(PodError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                return Ok(Vec::new());
            }
            other => other?,
        };
        let mut aborted = Vec::new();
        for entry in self.in_phase(Phase::Prepare)? {
            match self.lock(&entry) {
                Ok(pod) => aborted.push(pod),
                Err(PodError::Locked(_) | PodError::NoSuchPod(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(aborted)
    }

    /// Whether a pod may still be called by its name.
    pub(crate) fn is_live(&self, uuid: PodUuid) -> Result<bool, PodError> {
        match self.by_uuid(uuid)? {
            None => Ok(false),
            Some(seen) => self.is_still_live(&seen),
        }
    }

    fn is_still_live(&self, seen: &PodEntry) -> Result<bool, PodError> {
        Ok(match seen.phase {
            // If it has moved on since it was seen, its lock is no longer where it was asked about.
            Phase::Prepare => {
                PodLock::is_held(&seen.path)?
                    || self
                        .by_uuid(seen.uuid)?
                        .is_some_and(|now| matches!(now.phase, Phase::Prepared | Phase::Run))
            }
            Phase::Prepared | Phase::Run => true,
            Phase::Garbage => false,
        })
    }
}

/// Whether a lock is that of the pod in `directory`: one whose directory was renamed isn't, whether or not another has
/// come in its place.
fn is_lock_of(lock: &PodLock, directory: &Path) -> Result<bool, PodError> {
    let held = fstat(lock).map_err(PodError::errno("look at", directory))?;
    Ok(fs::metadata(directory.join(LOCK_FILE))
        .is_ok_and(|now| (now.ino(), now.dev()) == (held.st_ino, held.st_dev)))
}

/// What came of a move, where one that there was no room for need not be.
fn unless_full(moved: Result<(), PodError>) -> Result<(), PodError> {
    use io::ErrorKind::{QuotaExceeded, StorageFull};
    match moved {
        Err(PodError::Io { source, .. })
            if matches!(source.kind(), StorageFull | QuotaExceeded) =>
        {
            Ok(())
        }
        other => other,
    }
}

impl LockedPod {
    /// Takes over the pod in `path` (a phase's directory / UUID) with its inherited lock: what an isolator
    /// does when it begins.
    ///
    /// # Errors
    /// [`InvalidId::Uuid`] if the path is not that of a pod.
    pub fn adopt(path: &Path, lock: PodLock) -> Result<Self, PodError> {
        let strange = || PodError::Id(InvalidId::Uuid(path.display().to_string()));
        let uuid = path
            .file_name()
            .and_then(|n| n.to_str())
            .ok_or_else(strange)?
            .parse()?;
        let phase_dir = path.parent().ok_or_else(strange)?;
        let phase = Phase::ALL
            .into_iter()
            .find(|phase| phase_dir.ends_with(phase.dir_name()))
            .ok_or_else(strange)?;
        let data_dir = phase_dir
            .parent()
            .and_then(Path::parent)
            .ok_or_else(strange)?;
        let pods = PodsDir::new(data_dir);
        Ok(Self {
            entry: pods.entry(phase, uuid),
            pods,
            lock,
        })
    }

    /// Lets go of a pod that nothing of runs, for all who have inherited its lock.
    pub fn release(self) {
        self.lock.release();
    }

    /// The pod's identity.
    pub fn uuid(&self) -> PodUuid {
        self.entry.uuid
    }

    /// The directory it is in now.
    pub fn path(&self) -> &Path {
        &self.entry.path
    }

    /// The phase it is in now.
    pub fn phase(&self) -> Phase {
        self.entry.phase
    }

    /// Its lock.
    pub fn lock(&self) -> &PodLock {
        &self.lock
    }

    /// Moves the pod to another phase by one rename.
    ///
    /// # Errors
    /// [`PodError::Io`] if the rename fails.
    pub fn move_to(&mut self, phase: Phase) -> Result<(), PodError> {
        let target = self.pods.entry(phase, self.uuid());
        let renamed = match fs::rename(&self.entry.path, &target.path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                private_dir::make(&self.pods.phase_dir(phase))?;
                fs::rename(&self.entry.path, &target.path)
            }
            other => other,
        };
        renamed.map_err(PodError::io("rename", &self.entry.path))?;
        self.entry = target;
        Ok(())
    }

    /// Moves a pod that is to be removed among the garbage, so that others see one that goes. On a disk without room for
    /// that it stays where it is.
    ///
    /// # Errors
    /// [`PodError::Io`] if the rename fails for another reason.
    pub fn discard(&mut self) -> Result<(), PodError> {
        if self.phase() == Phase::Garbage {
            return Ok(());
        }
        unless_full(self.move_to(Phase::Garbage))
    }

    /// Removes the pod's directory and its name. What it left elsewhere must have been cleared before. The lock stays held
    /// until this is dropped.
    ///
    /// # Errors
    /// [`PodError::Io`] if something can't be removed; the call can be repeated.
    pub fn remove(&mut self) -> Result<(), PodError> {
        let manifest = PodManifest::load(self.path());
        self.discard()?;
        let (names, uuid) = (&self.pods.names, self.uuid());
        match manifest {
            Ok(manifest) => {
                if let Some(first) = manifest.user_namespace.and_then(|users| users.block()) {
                    self.pods.id_blocks.release(uuid, first)?;
                }
                if let Some(pair) = manifest.selinux.and_then(|labels| labels.categories) {
                    self.pods.categories.release(uuid, pair)?;
                }
                if let Some(name) = manifest.name {
                    names.release(&name, uuid)?;
                }
            }
            // One that can't be read doesn't tell the name.
            Err(_) => names.release_all(|holder| Ok(holder == uuid))?,
        }
        removal::remove_pod_dir(self.path())
    }
}

#[cfg(test)]
mod tests;
