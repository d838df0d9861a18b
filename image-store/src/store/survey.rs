//! The slow part of a collection, done while others use the store: reading what names stand for.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, SystemTime};

use super::contents::Documents;
use super::refs::seconds;
use super::{RefRecord, Store};
use crate::error::StoreError;

/// How old the last change of a directory has to be for its time to tell it from any later one. Times
/// of files advance in steps of some milliseconds.
const QUIET: Duration = Duration::from_secs(2);

type Records = Vec<Result<RefRecord, StoreError>>;

/// What names stand for, as it was a moment ago. A collection looks only at what has changed since,
/// so that starts don't wait while it reads.
#[derive(Debug)]
pub struct Survey<'a> {
    documents: Documents<'a>,
    records: Option<(Stamp, Records)>,
}

/// Tells whether names came or went.
#[derive(Debug, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    changed: (i64, i64),
}

impl Stamp {
    /// `None` if a change in this moment would give the same.
    fn of_refs(store: &Store) -> Option<Self> {
        let metadata = fs::metadata(store.refs_folder()).ok()?;
        let changed = u64::try_from(metadata.ctime()).unwrap_or_default();
        let is_quiet = changed + QUIET.as_secs() < seconds(SystemTime::now());
        is_quiet.then(|| Self {
            inode: metadata.ino(),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })
    }
}

impl Store {
    /// Reads what all names stand for. Needs no lock: what can't be read or has changed is looked at
    /// again by the collection.
    #[must_use]
    pub fn survey(&self) -> Survey<'_> {
        let stamp = Stamp::of_refs(self);
        let mut documents = Documents::new(self);
        let records = self.all_refs().unwrap_or_default();
        for record in records.iter().flatten() {
            // An error is met again, and told, by the collection.
            drop(documents.of(record));
        }
        Survey {
            documents,
            records: stamp.map(|stamp| (stamp, records)),
        }
    }
}

impl<'a> Survey<'a> {
    /// Whether the records are kept, and not read again in any case.
    #[cfg(test)]
    pub(super) fn is_kept(&self) -> bool {
        self.records.is_some()
    }

    /// All records, as they are now.
    pub(super) fn records(&mut self, store: &Store) -> Result<Records, StoreError> {
        match self.records.take() {
            Some((stamp, records)) if Stamp::of_refs(store).as_ref() == Some(&stamp) => Ok(records),
            _ => store.all_refs(),
        }
    }

    /// What the documents of the store name.
    pub(super) fn documents(&mut self) -> &mut Documents<'a> {
        &mut self.documents
    }
}
