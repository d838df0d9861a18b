//! A file or directory that is not complete yet.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use atomic_file::Durability;
use rustix::fs::{
    AtFlags, CWD, FlockOperation, Mode, OFlags, RenameFlags, flock, linkat, openat, renameat_with,
};
use rustix::io::Errno;

use crate::error::StoreError;
use crate::interrupt::Interrupt;
use crate::tar_writer::TarWriter;

/// Stands beside its destination, locked by who makes it; what is there of it goes away with it. What a killed
/// one has left goes when the next begins.
pub(crate) struct Partial {
    path: PathBuf,
    /// What it will be called, which is what messages call it.
    dest: PathBuf,
    /// The file or directory that is open here; the lock is on it.
    open: Option<File>,
    /// Whether it is a file that has no name yet: nothing is left of it if this program is killed.
    is_unnamed: bool,
    is_directory: bool,
    interrupt: Interrupt,
}

impl Partial {
    pub(crate) fn beside(dest: &Path) -> Result<Self, StoreError> {
        let Some(name) = dest.file_name() else {
            return Err(StoreError::Destination {
                path: dest.to_owned(),
                reason: "is not a path at which a file can be written",
            });
        };
        let mut partial = beginning(name);
        partial.push(format!("{}{END}", std::process::id()));
        Ok(Self {
            path: dest.with_file_name(partial),
            dest: dest.to_owned(),
            open: None,
            is_unnamed: false,
            is_directory: false,
            interrupt: Interrupt::default(),
        })
    }

    /// Takes it away when `interrupt` says so.
    pub(crate) fn until(mut self, interrupt: &Interrupt) -> Self {
        interrupt.staged(&self.path);
        self.interrupt = interrupt.clone();
        self
    }

    /// Begins a file there.
    pub(crate) fn file(&mut self, mode: u32) -> Result<File, StoreError> {
        let failed = |error| StoreError::io("cannot create", &self.dest, error);
        let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
        let made = openat(CWD, self.parent(), flags, Mode::from_raw_mode(mode));
        self.is_unnamed = made.is_ok();
        let file = match made {
            Ok(file) => File::from(file),
            Err(_) => {
                self.sweep();
                // The filesystem may want a name; what else stands in the way is told here.
                let mut new = File::options();
                new.write(true).create_new(true).mode(mode);
                new.open(&self.path).map_err(failed)?
            }
        };
        self.open = Some(locked(file.try_clone().map_err(failed)?));
        Ok(file)
    }

    /// Begins a tar file there.
    pub(crate) fn tar(&mut self) -> Result<TarWriter<BufWriter<File>>, StoreError> {
        let out = BufWriter::with_capacity(256 << 10, self.file(0o666)?);
        Ok(TarWriter::new(out, &self.dest))
    }

    /// Makes a directory there.
    pub(crate) fn directory(&mut self, mode: u32) -> Result<(), StoreError> {
        let failed = |error| StoreError::io("cannot create", &self.dest, error);
        self.sweep();
        let mut new = fs::DirBuilder::new();
        new.mode(mode).create(&self.path).map_err(failed)?;
        self.open = Some(locked(File::open(&self.path).map_err(failed)?));
        self.is_directory = true;
        Ok(())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Gives it its name: a file in the place of what may have had it, a directory of nothing.
    pub(crate) fn finish(self) -> Result<(), StoreError> {
        let failed = |error| StoreError::io("cannot create", &self.dest, error);
        // What a signal takes away gets no name, and what gets its name isn't taken away.
        let _named = self.interrupt.publish()?;
        if let Some(file) = self.open.as_ref().filter(|_| self.is_unnamed) {
            // One that was killed right here may have had this number.
            let _ = fs::remove_file(&self.path);
            let open = format!("/proc/self/fd/{}", file.as_raw_fd());
            linkat(CWD, &open, CWD, &self.path, AtFlags::SYMLINK_FOLLOW)
                .map_err(|errno| failed(errno.into()))?;
        }
        if self.is_directory {
            // Not even that of an empty one.
            match renameat_with(CWD, &self.path, CWD, &self.dest, RenameFlags::NOREPLACE) {
                // The filesystem doesn't know that.
                Err(Errno::INVAL | Errno::NOSYS) => {}
                other => return other.map_err(|errno| failed(errno.into())),
            }
        }
        // Somebody's copy: it can be made again.
        atomic_file::publish(&self.path, &self.dest, Durability::Visible)
            .map_err(|error| failed(error.error))
    }

    /// Removes what others have left who were killed on the way to the same destination.
    fn sweep(&self) {
        let beginning = beginning(self.dest.file_name().unwrap_or_default());
        for entry in fs::read_dir(self.parent()).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let number = name.as_bytes().strip_prefix(beginning.as_bytes());
            let number = number.and_then(|rest| rest.strip_suffix(END.as_bytes()));
            if number.is_some_and(|number| number.iter().all(u8::is_ascii_digit)) {
                // What can't be removed is in nobody's way.
                drop(remove_unlocked(&entry.path()));
            }
        }
    }

    fn parent(&self) -> &Path {
        match self.path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        }
    }
}

/// What a name ends with that only passes.
const END: &str = ".partial";

/// What it begins with, before the number of the process.
fn beginning(dest: &OsStr) -> OsString {
    let dest = dest.as_bytes();
    let mut name = OsString::from(".");
    // The whole name must not be longer than names may be.
    name.push(OsStr::from_bytes(dest.get(..200).unwrap_or(dest)));
    name.push(".");
    name
}

/// Where the filesystem knows no locks, what a killed one leaves stays.
fn locked(file: File) -> File {
    let _ = flock(&file, FlockOperation::NonBlockingLockExclusive);
    file
}

fn remove_unlocked(path: &Path) -> io::Result<()> {
    // Not what a link leads to, and no pipe is waited for.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let left = File::from(openat(CWD, path, flags, Mode::empty())?);
    flock(&left, FlockOperation::NonBlockingLockExclusive)?;
    match left.metadata()?.is_dir() {
        true => fs::remove_dir_all(path),
        false => fs::remove_file(path),
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // After the rename there is nothing; before it this is all that can still be done.
        let _ = match self.path.symlink_metadata() {
            Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(&self.path),
            Ok(_) => fs::remove_file(&self.path),
            Err(_) => Ok(()),
        };
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_file_has_no_name_until_it_is_whole() {
        let directory = tempfile::tempdir().unwrap();
        let dest = directory.path().join("image.tar");
        let count = || fs::read_dir(directory.path()).unwrap().count();
        let mut dropped = Partial::beside(&dest).unwrap();
        dropped.file(0o666).unwrap().write_all(b"part").unwrap();
        assert_eq!(count(), 0);
        drop(dropped);
        assert_eq!(count(), 0);
        let mut whole = Partial::beside(&dest).unwrap();
        whole.file(0o666).unwrap().write_all(b"whole").unwrap();
        whole.finish().unwrap();
        assert_eq!((fs::read(&dest).unwrap(), count()), (b"whole".to_vec(), 1));
    }

    #[test]
    fn a_name_may_be_as_long_as_names_can_be() {
        let directory = tempfile::tempdir().unwrap();
        for length in [199, 200, 201, 255] {
            let dest = directory.path().join("x".repeat(length));
            let mut partial = Partial::beside(&dest).unwrap();
            partial.directory(0o700).unwrap();
            partial.finish().unwrap();
            assert!(dest.is_dir(), "{length}");
        }
    }

    #[test]
    fn a_missing_directory_is_told_by_the_name_of_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let dest = directory.path().join("missing/image.tar");
        let error = Partial::beside(&dest).unwrap().file(0o666).unwrap_err();
        assert!(error.to_string().contains("missing/image.tar"), "{error}");
    }

    #[test]
    fn a_directory_that_a_killed_one_left_goes_when_the_next_begins() {
        let directory = tempfile::tempdir().unwrap();
        let dest = directory.path().join("layout");
        let names = || {
            let entries = fs::read_dir(directory.path()).unwrap();
            let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
            names.sort();
            names
        };
        for left in [
            ".layout.1.partial/blobs",
            ".layout.x.partial",
            ".other.1.partial",
        ] {
            fs::create_dir_all(directory.path().join(left)).unwrap();
        }
        // Another that is at work holds a lock.
        let at_work = directory.path().join(".layout.2.partial");
        fs::create_dir(&at_work).unwrap();
        let lock = locked(File::open(&at_work).unwrap());
        let mut partial = Partial::beside(&dest).unwrap();
        partial.directory(0o700).unwrap();
        fs::write(partial.path().join("file"), "").unwrap();
        assert!(!dest.exists());
        partial.finish().unwrap();
        let left = [".layout.2.partial", ".layout.x.partial", ".other.1.partial"];
        let mut expected: Vec<OsString> = left.map(OsString::from).into();
        expected.push(OsString::from("layout"));
        assert_eq!(names(), expected);
        assert!(dest.join("file").exists());
        drop(lock);
    }

    #[test]
    fn what_is_interrupted_goes_and_gets_no_name() {
        let directory = tempfile::tempdir().unwrap();
        let dest = directory.path().join("layout");
        let interrupt = Interrupt::default();
        let mut partial = Partial::beside(&dest).unwrap().until(&interrupt);
        partial.directory(0o700).unwrap();
        interrupt.set();
        let error = partial.finish().unwrap_err();
        assert!(matches!(error, StoreError::Interrupted), "{error}");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
        // A process that ends without being asked takes it along, too.
        let interrupt = Interrupt::default();
        let mut partial = Partial::beside(&dest).unwrap().until(&interrupt);
        partial.directory(0o700).unwrap();
        interrupt.abandon();
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
