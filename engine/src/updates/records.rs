//! What outlives the command: which digests names stood for, which ones were refused, and what is being tried.
//!
//! One file, replaced as a whole: a trial of several names is begun, turned and ended by one rename each.

use std::collections::BTreeMap;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use atomic_file::Durability;
use image_name::{Digest, Reference};
use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::trial_record::{Move, Trial};
use super::version::Version;
use crate::error::{Error, UpdateError};

/// Version of the file; readers refuse later ones.
const VERSION: u32 = 1;
/// How many refused digests of a name are remembered, the latest ones.
const REFUSED: usize = 16;
/// Bytes that are read of the file: tens of thousands of names.
const LARGEST: u64 = 32 << 20;

/// What is remembered of a name.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NameRecord {
    /// What an update gave it last.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub current: Option<Version>,
    /// What it stood for before that.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub previous: Option<Version>,
    /// What services did not come up with, the latest last.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub refused: Vec<Digest>,
}

/// All that is remembered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Records {
    version: u32,
    /// What is remembered of names.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub names: BTreeMap<Reference, NameRecord>,
    /// What has begun and not ended.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub trial: Option<Trial>,
}

impl Default for Records {
    fn default() -> Self {
        Self {
            version: VERSION,
            names: BTreeMap::new(),
            trial: None,
        }
    }
}

impl NameRecord {
    /// Whether services did not come up with an image.
    #[must_use]
    pub fn has_refused(&self, digest: &Digest) -> bool {
        self.refused.contains(digest)
    }

    /// Whether somebody has gone back by hand from what an update gave this name, which stands for `now`.
    #[must_use]
    pub fn was_left(&self, offered: &Digest, now: Option<&Digest>) -> bool {
        let is = |version: &Option<Version>, digest: &Digest| {
            version.as_ref().is_some_and(|one| one.digest == *digest)
        };
        is(&self.current, offered) && now.is_some_and(|now| is(&self.previous, now))
    }
}

impl Records {
    /// Remembers that a name's services came up with its new image.
    pub fn accept(&mut self, name: &Reference, change: &Move) {
        let record = self.names.entry(name.clone()).or_default();
        record
            .refused
            .retain(|refused| *refused != change.to.digest);
        record.current = Some(change.to.clone());
        record.previous = Some(change.from.clone());
    }

    /// Remembers that they did not.
    pub fn refuse(&mut self, name: &Reference, change: &Move) {
        let record = self.names.entry(name.clone()).or_default();
        record
            .refused
            .retain(|refused| *refused != change.to.digest);
        record.refused.push(change.to.digest.clone());
        let over = record.refused.len().saturating_sub(REFUSED);
        record.refused.drain(..over);
    }

    /// The images that have to stay in the store, by what the store says that names stand for: those of a trial, and what
    /// a name stood for before its update, as long as it stands for what that gave it.
    pub fn kept(&self, meaning: impl Fn(&Reference) -> Option<Digest>) -> Vec<Digest> {
        let tried = self.trial.iter().flat_map(Trial::versions);
        let previous = self.names.iter().filter_map(|(name, record)| {
            let current = record.current.as_ref()?;
            (meaning(name)? == current.digest).then_some(record.previous.as_ref()?)
        });
        let all = tried.chain(previous);
        all.flat_map(|version| [version.digest.clone(), version.manifest.clone()])
            .collect()
    }
}

/// The directory of the records.
fn directory(data: &Path) -> PathBuf {
    data.join("updates")
}

/// Reads what is remembered; nothing is, where no update ever was.
///
/// # Errors
/// [`UpdateError::Records`] for a file that is none of ours.
pub fn read(data: &Path) -> Result<Records, Error> {
    let path = directory(data).join("state.json");
    let unfit = |reason: String| UpdateError::Records {
        path: path.clone(),
        reason,
    };
    let options = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let flags = i32::try_from(options.bits()).unwrap_or_default();
    let file = match OpenOptions::new()
        .read(true)
        .custom_flags(flags)
        .open(&path)
    {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Records::default()),
        Err(error) => return Err(Error::io("read", &path)(error)),
    };
    let mut bytes = Vec::new();
    file.take(LARGEST)
        .read_to_end(&mut bytes)
        .map_err(Error::io("read", &path))?;
    let records: Records =
        serde_json::from_slice(&bytes).map_err(|error| unfit(error.to_string()))?;
    if records.version > VERSION {
        let version = records.version;
        return Err(unfit(format!(
            "it is of version {version}, made by a later fairing"
        ))
        .into());
    }
    Ok(records)
}

/// The records in the hands of the one command that may change them.
#[derive(Debug)]
pub(super) struct Ledger {
    path: PathBuf,
    pub(super) records: Records,
    _lock: File,
}

impl Ledger {
    /// Takes them.
    ///
    /// # Errors
    /// [`UpdateError::Busy`] if another command has them; as [`read`].
    pub(super) fn open(data: &Path) -> Result<Self, Error> {
        let directory = directory(data);
        let mut builder = DirBuilder::new();
        let made = builder.mode(0o700).recursive(true).create(&directory);
        made.map_err(Error::io("create", &directory))?;
        let path = directory.join("lock");
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).mode(0o600);
        let lock = options.open(&path).map_err(Error::io("open", &path))?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Err(UpdateError::Busy.into()),
            Err(errno) => return Err(Error::io("lock", &path)(errno.into())),
        }
        Ok(Self {
            path: directory.join("state.json"),
            records: read(data)?,
            _lock: lock,
        })
    }

    /// Writes them down. They are on the disk when this returns.
    ///
    /// # Errors
    /// If they can't be written.
    pub(super) fn save(&self) -> Result<(), Error> {
        let bytes = serde_json::to_vec_pretty(&self.records)
            .map_err(|error| Error::io("write", &self.path)(error.into()))?;
        let staged = self.path.with_extension("new");
        atomic_file::replace(&self.path, &staged, 0o600, &bytes, Durability::Full)
            .map_err(|error| Error::io(error.step, error.path)(error.error))
    }

    /// The same with a trial.
    pub(super) fn save_trial(&mut self, trial: &Trial) -> Result<(), Error> {
        self.records.trial = Some(trial.clone());
        self.save()
    }

    /// The same without any.
    pub(super) fn end_trial(&mut self) -> Result<(), Error> {
        self.records.trial = None;
        self.save()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::trial_record::Stage;
    use super::*;

    fn version(letter: char) -> Version {
        let digest =
            |letter: char| Digest::parse(&format!("sha256:{}", letter.to_string().repeat(64)));
        Version {
            digest: digest(letter).unwrap(),
            manifest: digest(letter).unwrap(),
        }
    }

    fn change(from: char, to: char) -> Move {
        Move {
            from: version(from),
            to: version(to),
            newest: Some(7),
            has_digest_name: false,
            before: None,
        }
    }

    fn name() -> Reference {
        Reference::parse("a.example/app:1").unwrap()
    }

    #[test]
    fn what_is_remembered_is_read_again_and_one_command_at_a_time_has_it() {
        let data = tempfile::tempdir().unwrap();
        assert_eq!(read(data.path()).unwrap(), Records::default());
        let mut ledger = Ledger::open(data.path()).unwrap();
        let busy = Ledger::open(data.path()).unwrap_err().to_string();
        assert!(busy.contains("another"), "{busy}");
        ledger.records.refuse(&name(), &change('a', 'b'));
        let trial = Trial {
            stage: Stage::Trying,
            moves: [(name(), change('a', 'c'))].into(),
            units: [("web.service".parse().unwrap(), 2)].into(),
            restarted: ["web.service".parse().unwrap()].into(),
            ran: [(
                "web.service".parse().unwrap(),
                [(name(), version('d'))].into(),
            )]
            .into(),
        };
        ledger.save_trial(&trial).unwrap();
        assert_eq!(read(data.path()).unwrap(), ledger.records);
        assert_eq!(read(data.path()).unwrap().trial, Some(trial));
        ledger.end_trial().unwrap();
        drop(ledger);
        assert_eq!(Ledger::open(data.path()).unwrap().records.trial, None);
    }

    #[test]
    fn a_file_that_is_none_of_ours_is_told_of_and_left() {
        let data = tempfile::tempdir().unwrap();
        drop(Ledger::open(data.path()).unwrap());
        let path = data.path().join("updates/state.json");
        for text in [
            "",
            "{}",
            "{\"version\":2}",
            "{\"version\":1,\"other\":1}",
            "[]",
        ] {
            fs::write(&path, text).unwrap();
            let error = read(data.path()).unwrap_err().to_string();
            assert!(error.contains("state.json"), "{error}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
    }

    #[test]
    fn the_latest_refused_digests_are_remembered_and_an_accepted_one_is_forgotten() {
        let mut records = Records::default();
        for number in 0..40_u8 {
            let hex = format!("sha256:{:064x}", number);
            let mut one = change('a', 'b');
            one.to.digest = Digest::parse(&hex).unwrap();
            records.refuse(&name(), &one);
            records.refuse(&name(), &one);
            assert!(records.names[&name()].has_refused(&one.to.digest));
        }
        assert_eq!(records.names[&name()].refused.len(), REFUSED);
        records.refuse(&name(), &change('a', 'b'));
        records.accept(&name(), &change('a', 'b'));
        assert!(!records.names[&name()].has_refused(&version('b').digest));
    }

    #[test]
    fn what_may_be_gone_back_to_is_kept() {
        let mut records = Records::default();
        records.accept(&name(), &change('a', 'b'));
        let at = |letter: Option<char>| move |_: &Reference| Some(version(letter?).digest);
        let digests = |letters: &str| -> Vec<Digest> {
            let both = |letter| [version(letter).digest, version(letter).manifest];
            letters.chars().flat_map(both).collect()
        };
        assert_eq!(records.kept(at(Some('b'))), digests("a"));
        // Somebody has given it another image, or forgotten it: nobody goes back from there.
        assert_eq!(records.kept(at(Some('c'))), digests(""));
        assert_eq!(records.kept(at(None)), digests(""));
        records.trial = Some(Trial {
            stage: Stage::Fetching,
            moves: [(name(), change('b', 'c'))].into(),
            units: BTreeMap::new(),
            restarted: Default::default(),
            ran: [(
                "web.service".parse().unwrap(),
                [(name(), version('d'))].into(),
            )]
            .into(),
        });
        assert_eq!(records.kept(at(None)), digests("bcd"));
    }

    #[test]
    fn who_goes_back_by_hand_has_left_the_newer_one() {
        let mut records = Records::default();
        records.accept(&name(), &change('a', 'b'));
        let record = &records.names[&name()];
        let (a, b, c) = (
            version('a').digest,
            version('b').digest,
            version('c').digest,
        );
        assert!(record.was_left(&b, Some(&a)));
        assert!(!record.was_left(&b, Some(&b)));
        assert!(!record.was_left(&c, Some(&a)));
        assert!(!record.was_left(&b, None));
    }
}
