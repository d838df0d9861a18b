//! Names of images: one small file for each.

use std::borrow::Cow;
use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use image_layer::ContentError;
use image_name::{Digest, NameError, Reference};
use rustix::fs::{AtFlags, CWD, Mode, OFlags, Timespec, Timestamps, UTIME_OMIT, utimensat};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::Store;
use super::digest_map::DigestMap;
use super::ref_name::file_name;
use crate::error::StoreError;

/// Version of the record; readers refuse later ones.
const VERSION: u32 = 1;

/// Bytes of a record; the longest names and sources make far less.
const MAX_RECORD: u64 = 64 << 10;

/// Bytes of a usual record, for which nothing is allocated.
const USUAL_RECORD: usize = 1024;

/// Seconds by which the last use of a name may be out of date. Most starts write nothing.
const USE_GRANULARITY: u64 = 60;

/// How a record is opened: one that is a link is none, and a pipe must not make anybody wait.
pub(super) const READ_RECORD: OFlags = OFlags::RDONLY
    .union(OFlags::CLOEXEC)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::NONBLOCK);

/// What the store knows of a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RefRecord {
    /// The name.
    pub reference: Reference,
    /// What the name stands for: an index or a manifest.
    pub digest: Digest,
    /// The manifest of the platform for which it was fetched.
    pub manifest: Digest,
    /// When it was fetched, in seconds since 1970.
    pub fetched_at: u64,
    /// From where, as the user gave it.
    pub source: String,
    /// When it was last fetched or used, in seconds since 1970, to the minute. It is the
    /// time of the file, so that noting a use rewrites nothing.
    pub used_at: u64,
}

#[derive(Serialize, Deserialize)]
struct Stored<'a> {
    version: u32,
    #[serde(borrow)]
    reference: Cow<'a, str>,
    #[serde(borrow)]
    digest: Cow<'a, str>,
    #[serde(borrow)]
    manifest: Cow<'a, str>,
    fetched_at: u64,
    source: String,
}

impl RefRecord {
    pub(crate) fn new(
        reference: Reference,
        digest: Digest,
        manifest: Digest,
        source: String,
    ) -> Self {
        let now = seconds(SystemTime::now());
        Self {
            reference,
            digest,
            manifest,
            fetched_at: now,
            source,
            used_at: now,
        }
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let stored = Stored {
            version: VERSION,
            reference: self.reference.to_string().into(),
            digest: self.digest.as_ref().into(),
            manifest: self.manifest.as_ref().into(),
            fetched_at: self.fetched_at,
            source: self.source.clone(),
        };
        // Strings and numbers always serialize.
        serde_json::to_vec(&stored).unwrap_or_default()
    }

    /// From the contents of a file. Digests are taken from among the `known`, if they are there.
    fn from_bytes(bytes: &[u8], changed_at: u64, known: &mut KnownDigests) -> Result<Self, String> {
        let stored: Stored<'_> =
            serde_json::from_slice(bytes).map_err(|error| format!("it can't be read: {error}"))?;
        if stored.version > VERSION {
            return Err(format!(
                "it is of version {}, made by a later fairing",
                stored.version
            ));
        }
        let unfit = |error: NameError| error.to_string();
        Ok(Self {
            reference: Reference::parse(&stored.reference).map_err(unfit)?,
            digest: known.parse(&stored.digest).map_err(unfit)?,
            manifest: known.parse(&stored.manifest).map_err(unfit)?,
            fetched_at: stored.fetched_at,
            source: stored.source,
            // Copied stores have times of their own.
            used_at: changed_at.max(stored.fetched_at),
        })
    }
}

/// Digests that were met: many names stand for one image, and a copy costs less than to parse again.
#[derive(Debug, Default)]
pub(super) struct KnownDigests(DigestMap<Box<str>, Digest>);

impl KnownDigests {
    fn parse(&mut self, text: &str) -> Result<Digest, NameError> {
        if let Some(known) = self.0.get(text) {
            return Ok(known.clone());
        }
        let digest = Digest::parse(text)?;
        self.0.insert(text.into(), digest.clone());
        Ok(digest)
    }
}

/// Seconds since 1970.
pub(super) fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}

impl Store {
    /// What a name stands for, if it is in the store. One small read.
    ///
    /// A reference with tag and digest is also found under the tag alone, if that stands for the
    /// digest.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if the record can't be read.
    pub fn resolve(&self, reference: &Reference) -> Result<Option<RefRecord>, StoreError> {
        if let Some(record) = self.read_ref(&file_name(reference))? {
            return Ok(Some(record));
        }
        let (Some(tag), Some(digest)) = (reference.tag(), reference.digest()) else {
            return Ok(None);
        };
        let tagged = reference.at_tag(tag)?;
        Ok(self
            .read_ref(&file_name(&tagged))?
            .filter(|record| record.digest == *digest || record.manifest == *digest))
    }

    pub(super) fn read_ref(&self, file_name: &str) -> Result<Option<RefRecord>, StoreError> {
        let path = self.refs_folder().join(file_name);
        read_record(CWD, &path, || path.clone(), &mut KnownDigests::default())
    }

    /// As [`Store::read_ref`] with the directory open: the way there is walked once for many names.
    pub(super) fn read_ref_in(
        &self,
        folder: &File,
        file_name: &str,
        known: &mut KnownDigests,
    ) -> Result<Option<RefRecord>, StoreError> {
        let path = || self.refs_folder().join(file_name);
        read_record(folder.as_fd(), Path::new(file_name), path, known)
    }

    /// Notes that a name is used now. Where it was so within the last minute, nothing is written.
    pub fn note_use(&self, record: &RefRecord) {
        self.note_use_at(record, SystemTime::now());
    }

    /// Notes that a name was used at this time, if nothing later is known.
    pub fn note_use_at(&self, record: &RefRecord, time: SystemTime) {
        let at = seconds(time);
        if at < record.used_at.saturating_add(USE_GRANULARITY) {
            return;
        }
        let times = Timestamps {
            last_access: Timespec {
                tv_sec: 0,
                tv_nsec: UTIME_OMIT,
            },
            last_modification: Timespec {
                tv_sec: i64::try_from(at).unwrap_or(i64::MAX),
                tv_nsec: 0,
            },
        };
        let path = self.refs_folder().join(file_name(&record.reference));
        // A store that can't be written is read all the same; the name is then taken for older.
        let _ = utimensat(CWD, &path, &times, AtFlags::SYMLINK_NOFOLLOW);
    }

    /// Forgets a name. What the name stood for stays until the next collection, which also brings
    /// the removal to the disk. Gives back what was forgotten, `None` if the name was not known, or
    /// its record could not be read; such a record is removed all the same.
    ///
    /// # Errors
    /// [`ContentError::Io`] if the record can't be removed.
    pub fn remove(&self, reference: &Reference) -> Result<Option<RefRecord>, StoreError> {
        let file_name = file_name(reference);
        let path = self.refs_folder().join(&file_name);
        let record = self.read_ref(&file_name);
        match fs::remove_file(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(StoreError::io("cannot remove", &path, error)),
        }
        match record {
            Err(StoreError::Content(ContentError::Io { .. })) | Ok(_) => record,
            Err(_) => Ok(None),
        }
    }
}

/// Reads a record at a path below a directory; `path` is for messages.
fn read_record(
    folder: BorrowedFd<'_>,
    at: &Path,
    path: impl Fn() -> PathBuf,
    known: &mut KnownDigests,
) -> Result<Option<RefRecord>, StoreError> {
    let failed = |error| StoreError::io("cannot read", &path(), error);
    let damaged = |reason: String| StoreError::Damaged {
        path: path(),
        reason,
    };
    let mut file = match rustix::fs::openat(folder, at, READ_RECORD, Mode::empty()) {
        Ok(file) => File::from(file),
        Err(Errno::NOENT) => return Ok(None),
        Err(Errno::LOOP | Errno::NXIO) => return Err(damaged("it is not a file".to_owned())),
        Err(error) => return Err(failed(error.into())),
    };
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(damaged("it is not a file".to_owned()));
    }
    if metadata.len() > MAX_RECORD {
        return Err(damaged("it is too large".to_owned()));
    }
    // It is never written to, so that it has this length for good.
    let length = usize::try_from(metadata.len()).unwrap_or_default();
    let (mut usual, mut long) = ([0; USUAL_RECORD], Vec::new());
    let bytes = match usual.get_mut(..length) {
        Some(bytes) => bytes,
        None => {
            long.resize(length, 0);
            long.as_mut_slice()
        }
    };
    file.read_exact(bytes).map_err(failed)?;
    let changed_at = metadata.modified().map_err(failed)?;
    RefRecord::from_bytes(bytes, seconds(changed_at), known)
        .map(Some)
        .map_err(damaged)
}
