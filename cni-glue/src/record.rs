//! Small files: read whole but bounded, replaced in one step; and locks.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use atomic_file::Durability;
use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::retry_on_intr;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Largest file that is read, in bytes.
const LARGEST: u64 = 1 << 20;

/// What failed on a file.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// A system call.
    #[error("cannot {operation} {}: {source}", path.display())]
    Io {
        /// A verb.
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is not what it should be.
    #[error("{} is damaged: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// In what way.
        reason: String,
    },
}

impl FileError {
    pub(crate) fn io(
        operation: &'static str,
        path: &Path,
    ) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_path_buf();
        move |source| Self::Io {
            operation,
            path,
            source,
        }
    }

    pub(crate) fn damaged(path: &Path, reason: impl ToString) -> Self {
        Self::Damaged {
            path: path.to_path_buf(),
            reason: reason.to_string(),
        }
    }
}

/// Reads a regular file; `None` if there is none. Nobody is waited for who would write into a FIFO.
pub(crate) fn read(path: &Path) -> Result<Option<Vec<u8>>, FileError> {
    let mut open = OpenOptions::new();
    open.read(true)
        .custom_flags(OFlags::NONBLOCK.bits().cast_signed());
    let file = match open.open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(FileError::io("open", path)(error)),
    };
    let metadata = file.metadata().map_err(FileError::io("look at", path))?;
    if !metadata.is_file() {
        return Err(FileError::damaged(path, "it is not a regular file"));
    }
    let mut bytes = Vec::with_capacity(1024);
    file.take(LARGEST + 1)
        .read_to_end(&mut bytes)
        .map_err(FileError::io("read", path))?;
    if bytes.len() as u64 > LARGEST {
        return Err(FileError::damaged(
            path,
            format_args!("it is larger than {LARGEST} bytes"),
        ));
    }
    Ok(Some(bytes))
}

/// Reads a JSON file; `None` if there is none.
pub(crate) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, FileError> {
    read(path)?
        .map(|bytes| serde_json::from_slice(&bytes).map_err(|e| FileError::damaged(path, e)))
        .transpose()
}

/// Puts a JSON file in the place of what was there. `tag` keeps writers of one file apart.
pub(crate) fn write_json(path: &Path, tag: &str, value: &impl Serialize) -> Result<(), FileError> {
    let bytes = serde_json::to_vec(value).map_err(|e| FileError::damaged(path, e))?;
    let mut partial = path.as_os_str().to_owned();
    partial.push(".");
    partial.push(tag);
    partial.push(".part");
    let partial = PathBuf::from(partial);
    // What networks are like now ends with the machine: nothing is synced.
    make_way(path, |path| {
        atomic_file::replace(path, &partial, 0o600, &bytes, Durability::Visible)
            .map_err(|failed| failed.error)
    })
    .map_err(FileError::io("write", path))
}

/// Does something at `path`, and makes its directory first if that is missing: at a second start it never is.
pub(crate) fn make_way<T>(
    path: &Path,
    mut action: impl FnMut(&Path) -> io::Result<T>,
) -> io::Result<T> {
    match action(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if let Some(folder) = path.parent() {
                fs::DirBuilder::new()
                    .recursive(true)
                    .mode(0o700)
                    .create(folder)?;
            }
            action(path)
        }
        answer => answer,
    }
}

/// Removes a file; that there is none is no error.
pub(crate) fn remove(path: &Path) -> Result<bool, FileError> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(FileError::io("remove", path)(error)),
    }
}

/// The names in a directory, sorted; none if there is no directory. A name that is not UTF-8 is none of ours.
pub(crate) fn names(folder: &Path) -> Result<Vec<String>, FileError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(FileError::io("read", folder)(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(FileError::io("read", folder))?;
        names.extend(entry.file_name().into_string());
    }
    names.sort_unstable();
    Ok(names)
}

/// A lock on a file, held until dropped; the kernel releases it when the process dies.
#[derive(Debug)]
pub(crate) struct Lock(#[allow(dead_code)] File); // held, not read

impl Lock {
    /// Waits for the others.
    pub(crate) fn shared(path: &Path) -> Result<Self, FileError> {
        Self::take(path, FlockOperation::LockShared)
    }

    /// Waits until nobody else has it.
    pub(crate) fn exclusive(path: &Path) -> Result<Self, FileError> {
        Self::take(path, FlockOperation::LockExclusive)
    }

    fn take(path: &Path, how: FlockOperation) -> Result<Self, FileError> {
        let mut open = OpenOptions::new();
        open.write(true).create(true).truncate(false).mode(0o600);
        let file = make_way(path, |path| open.open(path)).map_err(FileError::io("open", path))?;
        retry_on_intr(|| flock(&file, how))
            .map_err(|errno| FileError::io("lock", path)(errno.into()))?;
        Ok(Self(file))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_come_back_whole_and_leave_nothing_beside_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/record");
        assert_eq!(read_json::<u32>(&path).unwrap(), None);
        write_json(&path, "x", &5).unwrap();
        write_json(&path, "x", &6).unwrap();
        assert_eq!(read_json::<u32>(&path).unwrap(), Some(6));
        assert_eq!(names(path.parent().unwrap()).unwrap(), ["record"]);
        fs::write(&path, "{").unwrap();
        assert!(
            read_json::<u32>(&path)
                .unwrap_err()
                .to_string()
                .contains("record is damaged")
        );
        fs::write(&path, vec![b' '; LARGEST as usize + 1]).unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("larger"));
        assert!(remove(&path).unwrap());
        assert!(!remove(&path).unwrap());
    }

    #[test]
    fn nobody_is_waited_for_who_would_write_into_a_fifo() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("fifo");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRUSR).unwrap();
        for path in [&path, folder.path()] {
            let error = read(path).unwrap_err().to_string();
            assert!(error.contains("it is not a regular file"), "{error}");
        }
    }

    #[test]
    fn an_exclusive_lock_waits_for_the_shared_ones() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let shared = (Lock::shared(&path).unwrap(), Lock::shared(&path).unwrap());
        let (sender, receiver) = std::sync::mpsc::channel();
        let other = path.clone();
        let waiter = std::thread::spawn(move || {
            let lock = Lock::exclusive(&other).unwrap();
            sender.send(()).unwrap();
            drop(lock);
        });
        let file = File::open(&path).unwrap();
        let locked = flock(&file, FlockOperation::NonBlockingLockExclusive);
        assert_eq!(locked, Err(rustix::io::Errno::WOULDBLOCK));
        assert_eq!(
            receiver.try_recv(),
            Err(std::sync::mpsc::TryRecvError::Empty)
        );
        drop(shared);
        receiver.recv().unwrap();
        waiter.join().unwrap();
    }
}
