//! Looking for images by what a person types.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::Path;

use image_name::Reference;

use super::ref_name::{file_name, of_file_name};
use super::refs::KnownDigests;
use super::{RefRecord, Store};
use crate::error::StoreError;

/// Shortest prefix of a digest that is looked for, in hexadecimal digits.
const MIN_PREFIX: usize = 6;

impl Store {
    /// All names in the store, sorted. Records that can't be read are left out; see
    /// [`Store::list`], which tells of them.
    ///
    /// # Errors
    /// [`ContentError::Io`](image_layer::ContentError::Io) if the directory can't be read.
    pub fn references(&self) -> Result<Vec<RefRecord>, StoreError> {
        Ok(self
            .all_refs()?
            .into_iter()
            .filter_map(Result::ok)
            .collect())
    }

    /// The names of all images, without a look at what they stand for.
    ///
    /// # Errors
    /// [`StoreError::Content`] if the store can't be read.
    pub fn names(&self) -> Result<Vec<Reference>, StoreError> {
        let names = names_in(&self.refs_folder())?;
        let known = names.iter().filter_map(|name| match of_file_name(name) {
            Some(reference) => Some(reference),
            // Too long for a file's name.
            None => Some(self.read_ref(name).ok()??.reference),
        });
        Ok(known.collect())
    }

    /// All records, with those that can't be read.
    pub(super) fn all_refs(&self) -> Result<Vec<Result<RefRecord, StoreError>>, StoreError> {
        let mut records = Vec::new();
        self.each_ref(|record| records.push(record))?;
        Ok(records)
    }

    /// As [`Store::all_refs`], one after the other: there may be very many.
    pub(super) fn each_ref(
        &self,
        mut action: impl FnMut(Result<RefRecord, StoreError>),
    ) -> Result<(), StoreError> {
        let folder = self.refs_folder();
        let names = entries_in(&folder)?;
        if names.is_empty() {
            return Ok(());
        }
        let open = File::open(&folder).map_err(|e| StoreError::io("cannot open", &folder, e))?;
        let mut known = KnownDigests::default();
        for name in names {
            let strange = || StoreError::Damaged {
                path: folder.join(&name),
                reason: "its name is not one that the store gives".to_owned(),
            };
            let Some(name) = name.to_str() else {
                action(Err(strange()));
                continue;
            };
            match self.read_ref_in(&open, name, &mut known) {
                Ok(Some(record)) if file_name(&record.reference) != name => {
                    action(Err(strange()));
                }
                Ok(Some(record)) => action(Ok(record)),
                // Removed in between.
                Ok(None) => {}
                Err(error) => action(Err(error)),
            }
        }
        Ok(())
    }

    /// Finds an image by the repository and the digest of this name, under whatever tag it is there. Records that can't
    /// be read are passed over.
    ///
    /// # Errors
    /// [`ContentError::Io`](image_layer::ContentError::Io) if the directory can't be read.
    pub fn find_in_repository(&self, wanted: &Reference) -> Result<Option<RefRecord>, StoreError> {
        let Some(digest) = wanted.digest() else {
            return Ok(None);
        };
        for name in names_in(&self.refs_folder())? {
            // A name that is too long for a file's is known from the record alone.
            if of_file_name(&name).is_some_and(|name| !is_same_repository(&name, wanted)) {
                continue;
            }
            if let Ok(Some(record)) = self.read_ref(&name)
                && is_same_repository(&record.reference, wanted)
                && (record.digest == *digest || record.manifest == *digest)
            {
                return Ok(Some(record));
            }
        }
        Ok(None)
    }

    /// Finds an image by reference, or by a prefix (at least six digits, `sha256:` may be left out)
    /// of the digest of its index or manifest.
    ///
    /// # Errors
    /// [`StoreError::Ambiguous`] if a prefix fits several images.
    pub fn find(&self, text: &str) -> Result<Option<RefRecord>, StoreError> {
        Ok(self.find_all(text)?.into_iter().next())
    }

    /// As [`Store::find`], with all names of the image where it was found by digest.
    ///
    /// # Errors
    /// As [`Store::find`]; [`StoreError::Damaged`] if the record of a reference can't be read.
    pub fn find_all(&self, text: &str) -> Result<Vec<RefRecord>, StoreError> {
        let reference = Reference::parse(text);
        if let Ok(reference) = &reference
            && let Some(record) = self.resolve(reference)?
        {
            return Ok(vec![record]);
        }
        let prefix = text.strip_prefix("sha256:").unwrap_or(text);
        let is_prefix = (MIN_PREFIX..=64).contains(&prefix.len())
            && prefix
                .bytes()
                .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if !is_prefix {
            return match reference {
                Ok(_) => Ok(Vec::new()),
                Err(error) => Err(error.into()),
            };
        }
        let found: Vec<RefRecord> = self
            .references()?
            .into_iter()
            .filter(|r| r.digest.hex().starts_with(prefix) || r.manifest.hex().starts_with(prefix))
            .collect();
        let several = found
            .windows(2)
            .any(|pair| matches!(pair, [one, other] if one.manifest != other.manifest));
        if several {
            return Err(StoreError::Ambiguous {
                name: text.to_owned(),
                matches: found.iter().map(|r| r.reference.to_string()).collect(),
            });
        }
        Ok(found)
    }
}

fn is_same_repository(one: &Reference, other: &Reference) -> bool {
    one.repository() == other.repository()
}

/// The names in a directory that are text, sorted; none if there is no such directory.
pub(super) fn names_in(folder: &Path) -> Result<Vec<String>, StoreError> {
    let entries = entries_in(folder)?.into_iter();
    Ok(entries.filter_map(|name| name.into_string().ok()).collect())
}

/// All names in a directory, sorted; none if there is no such directory.
pub(super) fn entries_in(folder: &Path) -> Result<Vec<OsString>, StoreError> {
    let failed = |error| StoreError::io("cannot read", folder, error);
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(failed)?,
    };
    let mut names = entries
        .map(|entry| entry.map(|entry| entry.file_name()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(failed)?;
    names.sort_unstable();
    Ok(names)
}
