//! Stopping a fetch from outside.

use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use crate::error::StoreError;

/// How often a directory is removed that is still being filled.
const ATTEMPTS: u32 = 20;

/// A request to stop a fetch, which any thread may make.
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    is_set: AtomicBool,
    /// Files and directories that go when the fetch ends. Held while something of theirs becomes visible.
    staged: Mutex<Vec<PathBuf>>,
}

/// Bytes on their way, until that is asked for.
pub(crate) struct Until<'a, R> {
    inner: R,
    interrupt: &'a Interrupt,
}

impl<R: Read> Read for Until<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.interrupt.is_set() {
            true => Err(io::Error::other("interrupted by a signal")),
            false => self.inner.read(buffer),
        }
    }
}

impl<W> Until<'_, W> {
    /// What is read or written.
    pub(crate) fn into_inner(self) -> W {
        self.inner
    }
}

impl<W: Write> Write for Until<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.interrupt.is_set() {
            true => Err(io::Error::other("interrupted by a signal")),
            false => self.inner.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl Interrupt {
    /// Makes the fetches that were given this end with [`StoreError::Interrupted`] soon, unless their
    /// images are becoming visible already.
    pub fn set(&self) {
        self.0.is_set.store(true, Ordering::Relaxed);
    }

    /// Takes away what interrupted fetches have staged, for a process that is about to exit
    /// without them having ended: a registry that is silent keeps them. What becomes visible right now stays.
    pub fn abandon(&self) {
        let staged = match self.0.staged.try_lock() {
            Ok(staged) => staged,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        for path in staged.iter() {
            for _ in 0..ATTEMPTS {
                // What can't be removed now is removed by the next collection.
                let removed = match path.symlink_metadata() {
                    Ok(found) if found.is_dir() => fs::remove_dir_all(path),
                    _ => fs::remove_file(path),
                };
                if !removed.is_err_and(|error| error.kind() == ErrorKind::DirectoryNotEmpty) {
                    break;
                }
            }
        }
        // Nothing that is half removed may become visible while the process ends.
        std::mem::forget(staged);
    }

    /// Whether the fetch shall stop.
    pub(crate) fn is_set(&self) -> bool {
        self.0.is_set.load(Ordering::Relaxed)
    }

    /// The bytes of a reader, until that is asked for: then an error.
    pub(crate) fn reader<'a, R: Read + 'a>(&'a self, inner: R) -> impl Read + 'a {
        Until {
            inner,
            interrupt: self,
        }
    }

    /// The same for what is written.
    pub(crate) fn writer<W: Write>(&self, inner: W) -> Until<'_, W> {
        Until {
            inner,
            interrupt: self,
        }
    }

    /// A file or directory to be taken away.
    pub fn staged(&self, path: &Path) {
        self.lock().push(path.to_owned());
    }

    /// From here on the fetch is not stopped, until what is returned is dropped.
    ///
    /// # Errors
    /// [`StoreError::Interrupted`] if that was asked for before.
    pub(crate) fn publish(&self) -> Result<MutexGuard<'_, Vec<PathBuf>>, StoreError> {
        let staged = self.lock();
        match self.is_set() {
            true => Err(StoreError::Interrupted),
            false => Ok(staged),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<PathBuf>> {
        self.0.staged.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
