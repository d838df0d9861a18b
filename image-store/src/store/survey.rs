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
        is_quiet(changed, seconds(SystemTime::now())).then(|| Self {
            inode: metadata.ino(),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })
    }
}

/// Whether what was changed then, in seconds since 1970, can't change again in the same moment.
fn is_quiet(changed: u64, now: u64) -> bool {
    changed.saturating_add(QUIET.as_secs()) < now
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_changed_some_seconds_ago_is_quiet() {
        for (changed, now, quiet) in [
            (100, 99, false),
            (100, 100, false),
            (100, 102, false),
            (100, 103, true),
            (0, 1000, true),
            (u64::MAX, 1000, false),
        ] {
            assert_eq!(is_quiet(changed, now), quiet, "{changed} {now}");
        }
    }

    #[test]
    fn names_that_are_read_at_once_are_all_names_of_the_store() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path());
        let mut survey = store.survey();
        assert!(survey.records(&store).unwrap().is_empty());
        std::fs::create_dir(store.refs_folder()).unwrap();
        std::fs::write(store.refs_folder().join("torn"), "{").unwrap();
        assert_eq!(survey.records(&store).unwrap().len(), 1);
    }
}
