//! Reading and writing of small JSON records: bounded, versioned, visible all at once or not at all.

use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use atomic_file::Durability;
use rustix::fs::OFlags;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::PodError;

/// Largest record that is written and read, in bytes.
pub const RECORD_MAX: u64 = 4 << 20;

/// The version of a record's form: a number that is read only if it is this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Version<const N: u64>;

impl<const N: u64> Serialize for Version<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(N)
    }
}

impl<'de, const N: u64> Deserialize<'de> for Version<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u64::deserialize(deserializer)? {
            number if number == N => Ok(Self),
            number => Err(D::Error::custom(format_args!(
                "it has version {number}, not {N}"
            ))),
        }
    }
}

/// Reads a record of at most [`RECORD_MAX`] bytes.
///
/// # Errors
/// [`PodError::Io`] if it can't be read, [`PodError::LaterVersion`] if its `version` member is above
/// `supported`, [`PodError::Damaged`] if it is torn or not of the type asked for.
pub fn read<T: DeserializeOwned>(path: &Path, supported: u64) -> Result<T, PodError> {
    parse(path, &read_bytes(path)?, supported)
}

/// What stands in a record.
pub(crate) fn read_bytes(path: &Path) -> Result<Vec<u8>, PodError> {
    let mut bytes = Vec::new();
    // Whatever has taken its place, nobody waits for it.
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
        .open(path)
        .map_err(PodError::io("open", path))?;
    file.take(RECORD_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(PodError::io("read", path))?;
    match bytes.len() as u64 > RECORD_MAX {
        false => Ok(bytes),
        true => Err(PodError::Damaged {
            path: path.to_path_buf(),
            reason: format!("it is larger than {RECORD_MAX} bytes"),
        }),
    }
}

/// What the record in `path` means, which says `bytes`.
pub(crate) fn parse<T: DeserializeOwned>(
    path: &Path,
    bytes: &[u8],
    supported: u64,
) -> Result<T, PodError> {
    let path = || path.to_path_buf();
    // Only when the record can't be understood is its version looked at.
    serde_json::from_slice(bytes).map_err(|error| match version_of(bytes) {
        Some(found) if found > supported => PodError::LaterVersion {
            path: path(),
            found,
            supported,
        },
        _ => PodError::Damaged {
            path: path(),
            reason: error.to_string(),
        },
    })
}

/// The `version` member of a record.
pub(crate) fn version_of(bytes: &[u8]) -> Option<u64> {
    #[derive(Deserialize)]
    struct Versioned {
        version: u64,
    }

    let versioned: Versioned = serde_json::from_slice(bytes).ok()?;
    Some(versioned.version)
}

/// As [`read`]; `None` if there is no file.
///
/// # Errors
/// As [`read`].
pub fn read_if_there<T: DeserializeOwned>(
    path: &Path,
    supported: u64,
) -> Result<Option<T>, PodError> {
    match read(path, supported) {
        Ok(value) => Ok(Some(value)),
        Err(PodError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// As [`read_if_there`]; `None` also for one that is damaged. What was written last before power went may be, and it says as
/// little then as if it had never been written.
///
/// # Errors
/// As [`read`], but never [`PodError::Damaged`].
pub fn read_if_whole<T: DeserializeOwned>(
    path: &Path,
    supported: u64,
) -> Result<Option<T>, PodError> {
    match read_if_there(path, supported) {
        Err(PodError::Damaged { .. }) => Ok(None),
        other => other,
    }
}

/// Writes a record to a new file that nobody else reads yet.
///
/// # Errors
/// [`PodError::TooLarge`] if nobody would read it, [`PodError::Io`] if the file exists or can't be written.
pub fn create<T: Serialize>(path: &Path, value: &T) -> Result<(), PodError> {
    let bytes = bytes_of(path, value)?;
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(PodError::io("create", path))?;
    file.write_all(&bytes).map_err(PodError::io("write", path))
}

/// What is to stand in the record in `path`.
fn bytes_of<T: Serialize>(path: &Path, value: &T) -> Result<Vec<u8>, PodError> {
    let bytes = serde_json::to_vec(value).map_err(|e| PodError::Protocol(e.to_string()))?;
    match bytes.len() as u64 > RECORD_MAX {
        false => Ok(bytes),
        true => Err(PodError::TooLarge {
            path: path.to_path_buf(),
            length: bytes.len(),
            most: RECORD_MAX,
        }),
    }
}

/// Writes a record beside its path and renames it into place, so that readers find the old or the
/// new one. Nothing is synced: after a power failure the pod it speaks of is gone in any case.
///
/// # Errors
/// [`PodError::TooLarge`] if nobody would read it, [`PodError::Io`] if it can't be written. The old record stays then.
pub fn replace<T: Serialize>(path: &Path, value: &T) -> Result<(), PodError> {
    let bytes = bytes_of(path, value)?;
    let staged = path.with_extension("new");
    atomic_file::replace(path, &staged, 0o600, &bytes, Durability::Visible)
        .map_err(|failed| PodError::io(failed.step, failed.path)(failed.error))
}

/// Room that is kept for a record, in bytes: more than most need.
const RESERVED: u64 = 8 << 10;

/// Takes room for a record that has to be written once the disk may be full.
///
/// # Errors
/// [`PodError::Io`] if there is none.
pub fn reserve(path: &Path) -> Result<(), PodError> {
    atomic_file::reserve(&path.with_extension("new"), 0o600, RESERVED)
        .map_err(|failed| PodError::io(failed.step, failed.path)(failed.error))
}

/// Whether room was taken for a record that is not written yet.
pub(crate) fn is_reserved(path: &Path) -> bool {
    path.with_extension("new").exists()
}

/// As [`replace`], in the room that [`reserve`] has taken. The room of the old record, if there is one, is kept for the
/// next.
///
/// # Errors
/// As [`replace`].
pub fn replace_reserved<T: Serialize>(path: &Path, value: &T) -> Result<(), PodError> {
    let bytes = bytes_of(path, value)?;
    match atomic_file::replace_reserved(path, &path.with_extension("new"), &bytes) {
        Ok(true) => Ok(()),
        // None was taken, or too little.
        Ok(false) | Err(_) => replace(path, value),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    struct Sample {
        version: u64,
        text: String,
    }

    #[test]
    fn a_torn_record_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pod.json");
        fs::write(&path, r#"{"version":1,"te"#).unwrap();
        let error = read::<Sample>(&path, 1).unwrap_err();
        assert!(error.to_string().contains("pod.json is damaged"), "{error}");
    }

    #[test]
    fn a_later_version_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pod.json");
        fs::write(&path, r#"{"version":9,"new":true}"#).unwrap();
        assert!(matches!(
            read::<Sample>(&path, 1),
            Err(PodError::LaterVersion { found: 9, .. })
        ));
    }

    #[test]
    fn what_a_known_version_does_not_mean_is_damage() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pod.json");
        for supported in [2, 3] {
            fs::write(&path, r#"{"version":2,"new":true}"#).unwrap();
            let error = read::<Sample>(&path, supported).unwrap_err().to_string();
            assert!(error.contains("missing field `text`"), "{error}");
        }
        assert!(serde_json::from_str::<Version<2>>("2").is_ok());
        for other in ["1", "3", "\"2\""] {
            assert!(serde_json::from_str::<Version<2>>(other).is_err());
        }
        assert_eq!(serde_json::to_string(&Version::<7>).unwrap(), "7");
    }

    fn sample(text: &str) -> Sample {
        Sample {
            version: 1,
            text: text.into(),
        }
    }

    #[test]
    fn a_record_may_be_missing_and_is_never_half_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.json");
        assert_eq!(read_if_there::<Sample>(&path, 1).unwrap(), None);
        create(&path, &sample("x")).unwrap();
        assert_eq!(read_if_there(&path, 1).unwrap(), Some(sample("x")));
        let mode = |path: &Path| {
            use std::os::unix::fs::PermissionsExt;
            fs::metadata(path).unwrap().permissions().mode() & 0o777
        };
        assert_eq!(mode(&path), 0o600);
        let error = create(&path, &sample("y")).unwrap_err().to_string();
        assert!(error.contains("s.json"), "{error}");
        replace(&path, &sample("y")).unwrap();
        assert_eq!(read_if_there(&path, 1).unwrap(), Some(sample("y")));
        assert_eq!(mode(&path), 0o600);
        for torn in ["", "{", "\0\0\0"] {
            fs::write(&path, torn).unwrap();
            let error = read_if_there::<Sample>(&path, 1).unwrap_err();
            assert!(matches!(error, PodError::Damaged { .. }), "{error}");
            assert_eq!(read_if_whole::<Sample>(&path, 1).unwrap(), None);
        }
        // What can't be looked at is not missing.
        let error = read_if_there::<Sample>(&path.join("x"), 1).unwrap_err();
        assert!(matches!(error, PodError::Io { .. }), "{error}");
        let staged = path.with_extension("new");
        fs::create_dir(&staged).unwrap();
        let error = replace(&path, &sample("z")).unwrap_err().to_string();
        assert!(error.contains("s.new"), "{error}");
    }

    #[test]
    fn a_record_is_written_in_the_room_that_was_kept_for_it_or_elsewhere() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.json");
        replace_reserved(&path, &sample("without")).unwrap();
        assert_eq!(read_if_there(&path, 1).unwrap(), Some(sample("without")));
        for text in ["x", "a longer text", "y", &"long ".repeat(10_000), "z"] {
            reserve(&path).unwrap();
            replace_reserved(&path, &sample(text)).unwrap();
            assert_eq!(read_if_there(&path, 1).unwrap(), Some(sample(text)));
        }
        fs::create_dir(path.with_extension("new")).unwrap_err();
    }

    #[test]
    fn a_record_has_a_largest_size() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.json");
        let text = serde_json::to_string(&sample("x")).unwrap();
        let most = usize::try_from(RECORD_MAX).unwrap();
        let padded = |length: usize| text.clone() + &" ".repeat(length - text.len());
        fs::write(&path, padded(most)).unwrap();
        assert_eq!(read::<Sample>(&path, 1).unwrap(), sample("x"));
        fs::write(&path, padded(most + 1)).unwrap();
        let error = read::<Sample>(&path, 1).unwrap_err().to_string();
        assert!(error.contains("larger than 4194304 bytes"), "{error}");
    }

    #[test]
    fn what_nobody_would_read_is_not_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.json");
        let sample = |length| Sample {
            version: 1,
            text: "x".repeat(length),
        };
        let most = usize::try_from(RECORD_MAX).unwrap();
        let frame = serde_json::to_vec(&sample(0)).unwrap().len();
        let largest = sample(most - frame);
        replace(&path, &largest).unwrap();
        for path in [&path, &dir.path().join("new.json")] {
            for result in [
                replace(path, &sample(most - frame + 1)),
                create(path, &sample(most)),
            ] {
                assert!(matches!(result, Err(PodError::TooLarge { .. })));
            }
        }
        assert_eq!(read::<Sample>(&path, 1).unwrap(), largest);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn replacing_survives_a_leftover() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.json");
        fs::write(path.with_extension("new"), "half").unwrap();
        let value = sample("x");
        replace(&path, &value).unwrap();
        assert_eq!(read::<Sample>(&path, 1).unwrap(), value);
    }
}
