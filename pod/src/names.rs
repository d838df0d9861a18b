//! Pod names: one symbolic link a name in `pods/names/`, whose target is the pod's UUID.
//!
//! Creating a link is atomic, so two commands can't get one name. A name belongs to its pod for as long
//! as the pod is prepared, prepared or in `run`; a link that a killed command left is taken over.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use rustix::fs::FlockOperation;

use crate::error::PodError;
use crate::holder_link::{holder, is_holder, remove_of_gone};
use crate::id::{PodName, PodUuid};
use crate::lock::lock_path;
use crate::private_dir;

/// The directory of names.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    dir: PathBuf,
}

impl Names {
    pub(crate) fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// Gives `name` to `uuid` unless `is_live` says that its present holder still lives.
    pub(crate) fn claim(
        &self,
        name: &PodName,
        uuid: PodUuid,
        is_live: impl Fn(PodUuid) -> Result<bool, PodError>,
    ) -> Result<(), PodError> {
        let _turn = self.take_turn()?;
        let link = self.dir.join(name.as_str());
        let target = uuid.to_string();
        match symlink(&target, &link) {
            Ok(()) => return Ok(()),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(PodError::io("create", &link)(e)),
        }
        if let Some(holder) = holder(&link)?
            && is_live(holder)?
        {
            return Err(PodError::NameInUse {
                name: name.clone(),
                holder,
            });
        }
        fs::remove_file(&link).map_err(PodError::io("remove", &link))?;
        symlink(&target, &link).map_err(PodError::io("create", &link))
    }

    /// All names, and who has them.
    pub(crate) fn all(&self) -> Result<Vec<(PodName, PodUuid)>, PodError> {
        let entries = match fs::read_dir(&self.dir) {
            Ok(entries) => entries,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(PodError::io("read", &self.dir)(e)),
        };
        let mut all = Vec::new();
        for entry in entries {
            let entry = entry.map_err(PodError::io("read", &self.dir))?;
            let name = entry.file_name();
            let name = name.to_str().and_then(|name| name.parse::<PodName>().ok());
            let uuid = match holder(&entry.path()) {
                Err(PodError::NoLink(_)) => None,
                other => other?,
            };
            all.extend(name.zip(uuid));
        }
        Ok(all)
    }

    /// Who has `name`.
    pub(crate) fn holder(&self, name: &str) -> Result<Option<PodUuid>, PodError> {
        match name.parse::<PodName>() {
            Ok(name) => holder(&self.dir.join(name.as_str())),
            Err(_) => Ok(None),
        }
    }

    /// Gives up `name` if it belongs to `uuid`.
    pub(crate) fn release(&self, name: &PodName, uuid: PodUuid) -> Result<(), PodError> {
        let link = self.dir.join(name.as_str());
        if !is_holder(&link, uuid)? {
            return Ok(());
        }
        let _turn = self.take_turn()?;
        if is_holder(&link, uuid)? {
            fs::remove_file(&link).map_err(PodError::io("remove", &link))?;
        }
        Ok(())
    }

    /// Gives up all names whose holders are gone, as `is_gone` says.
    pub(crate) fn release_all(
        &self,
        is_gone: impl Fn(PodUuid) -> Result<bool, PodError>,
    ) -> Result<(), PodError> {
        if !self.dir.is_dir() {
            return Ok(());
        }
        let _turn = self.take_turn()?;
        remove_of_gone(&self.dir, is_gone)
    }

    /// One command at a time replaces links. The lock is held for a few system calls.
    fn take_turn(&self) -> Result<fs::File, PodError> {
        if !self.dir.is_dir() {
            private_dir::make(&self.dir)?;
        }
        lock_path(&self.dir, FlockOperation::LockExclusive)
    }
}
