//! A file or directory that is not complete yet.

use std::fs::{self, File};
use std::io::BufWriter;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use atomic_file::Durability;
use rustix::fs::{AtFlags, CWD, Mode, OFlags, linkat, openat};

use crate::error::StoreError;
use crate::tar_writer::TarWriter;

/// Stands beside its destination; what is there of it goes away with it.
pub(super) struct Partial {
    path: PathBuf,
    /// What it will be called, which is what messages call it.
    dest: PathBuf,
    /// A file that has no name yet: nothing is left of it if this program is killed.
    unnamed: Option<File>,
}

impl Partial {
    pub(super) fn beside(dest: &Path) -> Result<Self, StoreError> {
        let Some(name) = dest.file_name() else {
            return Err(StoreError::Destination {
                path: dest.to_owned(),
                reason: "is not a path at which a file can be written",
            });
        };
        let mut partial = std::ffi::OsString::from(".");
        partial.push(name);
        partial.push(format!(".{}.partial", std::process::id()));
        Ok(Self {
            path: dest.with_file_name(partial),
            dest: dest.to_owned(),
            unnamed: None,
        })
    }

    /// Begins a file there.
    pub(super) fn file(&mut self) -> Result<File, StoreError> {
        let failed = |error| StoreError::io("cannot create", &self.dest, error);
        let directory = match self.path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
        let Ok(file) = openat(CWD, directory, flags, Mode::from_raw_mode(0o666)) else {
            // The filesystem may want a name; what else stands in the way is told here.
            return File::create(&self.path).map_err(failed);
        };
        let file = File::from(file);
        self.unnamed = Some(file.try_clone().map_err(failed)?);
        Ok(file)
    }

    /// Begins a tar file there.
    pub(super) fn tar(&mut self) -> Result<TarWriter<BufWriter<File>>, StoreError> {
        let out = BufWriter::with_capacity(256 << 10, self.file()?);
        Ok(TarWriter::new(out, &self.dest))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn rename_to(self, dest: &Path) -> Result<(), StoreError> {
        if let Some(file) = &self.unnamed {
            // One that was killed right here may have had this number.
            let _ = fs::remove_file(&self.path);
            let open = format!("/proc/self/fd/{}", file.as_raw_fd());
            linkat(CWD, &open, CWD, &self.path, AtFlags::SYMLINK_FOLLOW)
                .map_err(|errno| StoreError::io("cannot create", dest, errno))?;
        }
        // Somebody's copy: it can be made again.
        atomic_file::publish(&self.path, dest, Durability::Visible)
            .map_err(|failed| StoreError::io("cannot create", dest, failed.error))
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
        dropped.file().unwrap().write_all(b"part").unwrap();
        assert_eq!(count(), 0);
        drop(dropped);
        assert_eq!(count(), 0);
        let mut whole = Partial::beside(&dest).unwrap();
        whole.file().unwrap().write_all(b"whole").unwrap();
        whole.rename_to(&dest).unwrap();
        assert_eq!((fs::read(&dest).unwrap(), count()), (b"whole".to_vec(), 1));
    }

    #[test]
    fn a_missing_directory_is_told_by_the_name_of_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let dest = directory.path().join("missing/image.tar");
        let error = Partial::beside(&dest).unwrap().file().unwrap_err();
        assert!(error.to_string().contains("missing/image.tar"), "{error}");
    }
}
