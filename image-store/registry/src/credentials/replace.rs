//! Putting a new file of secrets in the place of an old one, at once and for its owner alone.

use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use atomic_file::Durability;
use rustix::fs::{FlockOperation, flock};

use crate::error::RegistryError;

/// The directory of a file that is about to be replaced; nobody else replaces one there meanwhile.
pub(super) struct Folder {
    file: PathBuf,
    folder: File,
}

impl Folder {
    /// Makes the directory of `path` where it is missing, and locks it.
    pub(super) fn lock(path: &Path) -> Result<Self, RegistryError> {
        // A link stays a link: what it leads to is replaced.
        let file = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let parent = match file.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(parent)
            .map_err(|error| RegistryError::io("cannot create", parent, error))?;
        let folder =
            File::open(parent).map_err(|error| RegistryError::io("cannot open", parent, error))?;
        flock(&folder, FlockOperation::LockExclusive)
            .map_err(|errno| RegistryError::io("cannot lock", parent, errno))?;
        Ok(Self { file, folder })
    }

    /// The file, with links followed.
    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    /// Replaces the file by one of mode 0600 with this content.
    pub(super) fn replace(&self, content: &[u8]) -> Result<(), RegistryError> {
        let mut name = std::ffi::OsString::from(".");
        name.push(self.file.file_name().unwrap_or_default());
        name.push(".new");
        let new = self.file.with_file_name(name);
        atomic_file::replace(&self.file, &new, 0o600, content, Durability::Content)
            .map_err(|failed| failed.error)
            .and_then(|()| self.folder.sync_all())
            .map_err(|error| RegistryError::io("cannot write", &self.file, error))
    }
}
