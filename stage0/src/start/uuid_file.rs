//! The file that `--uuid-file-save` asks for.
//!
//! It is written before anything else is done, so that a pod can be removed by it whatever happens, and
//! goes again when no pod was made.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;

use pod::PodUuid;

use crate::arguments::pod::UuidPlace;
use crate::wording::failure::Failure;

/// A written file, which is removed on drop unless it is kept.
#[derive(Debug)]
pub(crate) struct UuidFile {
    path: PathBuf,
    content: String,
    kept: bool,
}

impl UuidFile {
    /// Writes a pod's UUID.
    ///
    /// # Errors
    /// If the file can't be written.
    fn save(place: UuidPlace, uuid: PodUuid) -> Result<Self, Failure> {
        let content = format!("{uuid}\n");
        let mut options = OpenOptions::new();
        let path = match place {
            UuidPlace::Any(path) => {
                options.write(true).create(true).truncate(true);
                path
            }
            UuidPlace::New(path) => {
                // Through no link either.
                options.write(true).create_new(true);
                path
            }
        };
        let mut file = options.open(&path).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => Failure::Other(format!(
                "--cidfile: {} is there already; remove it if its pod is gone, or write over it with \
                 --uuid-file-save",
                path.display()
            )),
            _ => Failure::io("write", &path)(error),
        })?;
        let written = file.write_all(content.as_bytes());
        written.map_err(Failure::io("write", &path))?;
        Ok(Self {
            path,
            content,
            kept: false,
        })
    }

    /// As [`UuidFile::save`], if a place is given.
    ///
    /// # Errors
    /// As [`UuidFile::save`].
    pub(crate) fn save_if_wanted(
        place: Option<UuidPlace>,
        uuid: PodUuid,
    ) -> Result<Option<Self>, Failure> {
        place.map(|place| Self::save(place, uuid)).transpose()
    }

    /// Leaves the file: there is a pod that it names.
    pub(crate) fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for UuidFile {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        // A device, a pipe or a link was there before, and another command may have written since.
        let is_file = fs::symlink_metadata(&self.path).is_ok_and(|metadata| metadata.is_file());
        if is_file && fs::read_to_string(&self.path).is_ok_and(|now| now == self.content) {
            // The failure that led here is the one to report.
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_stays_only_if_it_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("uuid");
        let uuid = PodUuid::random();
        let file = UuidFile::save(UuidPlace::Any(path.clone()), uuid).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{uuid}\n"));
        drop(file);
        assert!(!path.exists());
        UuidFile::save(UuidPlace::Any(path.clone()), uuid)
            .unwrap()
            .keep();
        assert!(path.exists());
    }

    #[test]
    fn a_file_that_must_be_new_replaces_nothing_through_no_link() {
        let dir = tempfile::tempdir().unwrap();
        let (path, link) = (dir.path().join("uuid"), dir.path().join("link"));
        std::os::unix::fs::symlink(&path, &link).unwrap();
        let save = |path: &PathBuf| UuidFile::save(UuidPlace::New(path.clone()), PodUuid::random());
        assert!(save(&link).is_err() && !path.exists());
        save(&path).unwrap().keep();
        let before = fs::read(&path).unwrap();
        let error = save(&path).unwrap_err().to_string();
        assert!(error.contains("is there already"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), before);
    }

    #[test]
    fn what_is_not_ours_is_not_removed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("uuid");
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        drop(UuidFile::save(UuidPlace::Any(link.clone()), PodUuid::random()).unwrap());
        assert!(fs::symlink_metadata(&link).is_ok());
        let file = UuidFile::save(UuidPlace::Any(path.clone()), PodUuid::random()).unwrap();
        UuidFile::save(UuidPlace::Any(path.clone()), PodUuid::random())
            .unwrap()
            .keep();
        drop(file);
        assert!(path.exists());
    }
}
