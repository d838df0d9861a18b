//! How new the signatures of a name have been, so that a name can't go back to an older image
//! unnoticed.
//!
//! `newest/NAME` holds one number: seconds since 1970. It outlives the name: an image that is removed and
//! fetched again must not be older than it was. Collection leaves it alone.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::PathBuf;

use atomic_file::Durability;
use image_name::Reference;
use rustix::fs::{FlockOperation, flock};

use super::Store;
use super::durable::{publish, sync_folder};
use super::paths::make_folder;
use super::ref_name::file_name;
use crate::error::StoreError;

impl Store {
    /// The newest time at which an image of this name was signed, in seconds since 1970, as
    /// [`Store::note_signed`] was told; `None` if it never was.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] for a record that is no time: whoever needs it must not go on without.
    pub fn newest_signed(&self, name: &Reference) -> Result<Option<u64>, StoreError> {
        let path = self.newest_path(name);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(StoreError::io("cannot read", &path, error)),
        };
        match text.strip_suffix('\n').map(str::parse) {
            Some(Ok(seconds)) => Ok(Some(seconds)),
            _ => Err(StoreError::Damaged {
                path,
                reason: "it does not hold a time".to_owned(),
            }),
        }
    }

    /// Remembers that an image of this name was signed at `seconds` since 1970, unless something newer is
    /// known. It is on the disk when this returns.
    ///
    /// # Errors
    /// [`ContentError::Io`](image_layer::ContentError::Io) if it can't be written; as [`Store::newest_signed`].
    pub fn note_signed(&self, name: &Reference, seconds: u64) -> Result<(), StoreError> {
        if self.newest_signed(name)? >= Some(seconds) {
            return Ok(());
        }
        let _turn = self.newest_turn()?;
        // Another process may have come first.
        if self.newest_signed(name)? >= Some(seconds) {
            return Ok(());
        }
        self.write_newest(name, seconds)
    }

    /// Takes back what [`Store::note_signed`] was told since this was the newest time: of an image that was tried and
    /// given up. It is on the disk when this returns.
    ///
    /// # Errors
    /// As [`Store::note_signed`].
    pub fn forget_signed_since(
        &self,
        name: &Reference,
        newest: Option<u64>,
    ) -> Result<(), StoreError> {
        if self.newest_signed(name)? <= newest {
            return Ok(());
        }
        let _turn = self.newest_turn()?;
        let Some(seconds) = newest else {
            let path = self.newest_path(name);
            return match fs::remove_file(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    Err(StoreError::io("cannot remove", &path, error))
                }
                _ => sync_folder(&self.newest_folder()),
            };
        };
        self.write_newest(name, seconds)
    }

    /// One at a time changes what is known.
    fn newest_turn(&self) -> Result<File, StoreError> {
        let folder = self.newest_folder();
        make_folder(&folder)?;
        let turn = File::open(&folder).map_err(|e| StoreError::io("cannot open", &folder, e))?;
        flock(&turn, FlockOperation::LockExclusive)
            .map_err(|error| StoreError::io("cannot lock", &folder, error))?;
        Ok(turn)
    }

    fn write_newest(&self, name: &Reference, seconds: u64) -> Result<(), StoreError> {
        let staging = self.stage()?;
        let from = staging.write("newest", format!("{seconds}\n").as_bytes())?;
        publish(&from, &self.newest_path(name), Durability::Full)
    }

    fn newest_path(&self, name: &Reference) -> PathBuf {
        self.newest_folder().join(file_name(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_newer_times_are_remembered_and_each_name_has_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path());
        let name = |text| Reference::parse(text).unwrap();
        let (one, other) = (name("a.example/app:1"), name("a.example/app:2"));
        assert_eq!(store.newest_signed(&one).unwrap(), None);
        for (told, newest) in [(50, 50), (40, 50), (60, 60)] {
            store.note_signed(&one, told).unwrap();
            assert_eq!(store.newest_signed(&one).unwrap(), Some(newest));
        }
        assert_eq!(store.newest_signed(&other).unwrap(), None);
    }

    #[test]
    fn what_was_tried_and_given_up_is_forgotten_and_nothing_before_it() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path());
        let name = Reference::parse("a.example/app:1").unwrap();
        store.forget_signed_since(&name, None).unwrap();
        store.note_signed(&name, 50).unwrap();
        for (before, after) in [(60, 50), (50, 50), (40, 40)] {
            store.forget_signed_since(&name, Some(before)).unwrap();
            assert_eq!(store.newest_signed(&name).unwrap(), Some(after));
        }
        store.forget_signed_since(&name, None).unwrap();
        assert_eq!(store.newest_signed(&name).unwrap(), None);
    }

    #[test]
    fn a_record_that_can_not_be_read_is_not_taken_for_none() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path());
        let name = Reference::parse("a.example/app").unwrap();
        fs::create_dir_all(store.newest_path(&name)).unwrap();
        for error in [
            store.newest_signed(&name).unwrap_err(),
            store.note_signed(&name, 9).unwrap_err(),
        ] {
            assert!(error.to_string().contains("cannot read"), "{error}");
        }
    }

    #[test]
    fn a_damaged_record_is_an_error_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path());
        let name = Reference::parse("a.example/app").unwrap();
        store.note_signed(&name, 7).unwrap();
        let path = store.newest_path(&name);
        for text in ["", "7", "x\n", "-7\n", "7\n7\n"] {
            fs::write(&path, text).unwrap();
            assert!(store.newest_signed(&name).is_err(), "{text:?}");
            assert!(store.note_signed(&name, 9).is_err(), "{text:?}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
    }
}
