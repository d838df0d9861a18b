//! Files in a directory of the configuration that decide what may run. They are read only as root alone could have
//! put them there: not through links, and nothing is waited for.

use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata};
use std::io::Read;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::Mode;

use super::ownership;
use crate::error::{Distrust, Error};

/// Largest file, in bytes.
const FILE_MAX: u64 = 1 << 20;
/// Most files of one directory.
const FILES_MAX: usize = 4096;

const DIRECTORY: OFlag = OFlag::O_RDONLY
    .union(OFlag::O_DIRECTORY)
    .union(OFlag::O_CLOEXEC);

/// How a file or directory is refused that others than root could have written.
pub(crate) type Refuse = fn(&Path, Distrust) -> Error;

/// A directory that root alone can write.
#[derive(Debug)]
pub(crate) struct RootFolder {
    folder: File,
    path: PathBuf,
    refuse: Refuse,
    /// Whether it is known that root alone can write it.
    checked: bool,
}

impl RootFolder {
    /// Opens a configuration directory, if it is there. It is trusted once something of it is read.
    ///
    /// # Errors
    /// If it can't be opened.
    pub(crate) fn open(path: &Path, refuse: Refuse) -> Result<Option<Self>, Error> {
        match open(path, DIRECTORY, Mode::empty()) {
            Ok(folder) => Ok(Some(Self {
                folder: folder.into(),
                path: path.to_path_buf(),
                refuse,
                checked: false,
            })),
            Err(Errno::ENOENT) => Ok(None),
            Err(errno) => Err(Error::errno("open", path)(errno)),
        }
    }

    /// Opens a directory within, if it is there.
    ///
    /// # Errors
    /// If it is no directory, or if either could be changed by others than root.
    pub(crate) fn within(&self, name: &str) -> Result<Option<Self>, Error> {
        let path = self.path.join(name);
        let flags = DIRECTORY | OFlag::O_NOFOLLOW;
        let folder: File = match openat(&self.folder, name, flags, Mode::empty()) {
            Ok(folder) => folder.into(),
            Err(Errno::ENOENT) => return Ok(None),
            Err(Errno::ELOOP | Errno::ENOTDIR) => {
                return Err((self.refuse)(&path, Distrust::NotDirectory));
            }
            Err(errno) => return Err(Error::errno("open", &path)(errno)),
        };
        // Who may write the directory above could put another one in its place.
        self.check(&self.folder, &self.path)?;
        self.check(&folder, &path)?;
        Ok(Some(Self {
            folder,
            path,
            refuse: self.refuse,
            checked: true,
        }))
    }

    /// The names of its files that count, in order.
    ///
    /// # Errors
    /// If it can't be read, or holds too many.
    pub(crate) fn names(&self, counts: fn(&OsStr) -> bool) -> Result<Vec<OsString>, Error> {
        let failed = Error::io("read", &self.path);
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&self.path).map_err(failed)? {
            let name = entry.map_err(Error::io("read", &self.path))?.file_name();
            if counts(&name) {
                names.push(name);
            }
            if names.len() > FILES_MAX {
                return Err((self.refuse)(&self.path, Distrust::TooMany(FILES_MAX)));
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    /// Where a file of it is.
    pub(crate) fn path_of(&self, name: &OsStr) -> PathBuf {
        self.path.join(name)
    }

    /// Reads one file; `None` if it is not there.
    ///
    /// # Errors
    /// If it can't be read, if it is not a regular file, or if others than root could have written it.
    pub(crate) fn read(&self, name: &OsStr) -> Result<Option<String>, Error> {
        let path = self.path_of(name);
        let refuse = |reason| Err((self.refuse)(&path, reason));
        // Not blocking: a FIFO must not hold up a start.
        let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        let file: File = match openat(&self.folder, name, flags, Mode::empty()) {
            Ok(file) => file.into(),
            Err(Errno::ENOENT) => return Ok(None),
            Err(Errno::ELOOP) => return refuse(Distrust::SymbolicLink),
            // A socket.
            Err(Errno::ENXIO) => return refuse(Distrust::NotRegularFile),
            Err(errno) => return Err(Error::errno("open", &path)(errno)),
        };
        if !self.checked {
            self.check(&self.folder, &self.path)?;
        }
        let metadata = self.check(&file, &path)?;
        if !metadata.is_file() {
            return refuse(Distrust::NotRegularFile);
        }
        // One read for the text and one for its end.
        let length = usize::try_from(metadata.len().min(FILE_MAX)).unwrap_or(0);
        let mut bytes = Vec::with_capacity(length + 32);
        file.take(FILE_MAX + 1)
            .read_to_end(&mut bytes)
            .map_err(Error::io("read", &path))?;
        if bytes.len() as u64 > FILE_MAX {
            return refuse(Distrust::TooLarge(FILE_MAX));
        }
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Some(text)),
            Err(_) => refuse(Distrust::NotText),
        }
    }

    /// Refuses what somebody else than root could have written.
    fn check(&self, file: &File, path: &Path) -> Result<Metadata, Error> {
        let metadata = file.metadata().map_err(Error::io("look at", path))?;
        match ownership::distrust(&metadata) {
            Some(reason) => Err((self.refuse)(path, reason)),
            None => Ok(metadata),
        }
    }
}
