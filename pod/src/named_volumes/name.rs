//! Names of volumes that outlive pods.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Longest name, in bytes: that of a directory.
pub const NAMED_VOLUME_NAME_MAX: usize = 255;

/// A text that is no name of a volume.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is not a name of a volume: {reason}")]
pub struct InvalidVolumeName {
    /// The text.
    pub name: String,
    /// The rule that it breaks.
    pub reason: &'static str,
}

/// The name of a volume that outlives pods, unique on its machine. It becomes a directory; none begins with a dot.
///
/// As docker and podman have them, so that what is written for those works: letters, digits, and dots, hyphens and
/// underscores after the first character.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NamedVolumeName(String);

impl NamedVolumeName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NamedVolumeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for NamedVolumeName {
    type Err = InvalidVolumeName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let inner = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'-' | b'_');
        let reason = match text.as_bytes() {
            [] => "it is empty",
            bytes if bytes.len() > NAMED_VOLUME_NAME_MAX => "it is longer than 255 characters",
            [first, ..] if !first.is_ascii_alphanumeric() => {
                "it begins with neither a letter nor a digit"
            }
            bytes if !bytes.iter().all(|byte| inner(*byte)) => {
                "only letters, digits, dots, hyphens and underscores may be used"
            }
            _ => return Ok(Self(text.to_owned())),
        };
        Err(InvalidVolumeName {
            name: text.to_owned(),
            reason,
        })
    }
}

impl TryFrom<String> for NamedVolumeName {
    type Error = InvalidVolumeName;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<NamedVolumeName> for String {
    fn from(name: NamedVolumeName) -> Self {
        name.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_volumes_are_those_of_docker_and_never_paths() {
        for good in ["a", "0", "pg_data", "Team.web-1", &"x".repeat(255)] {
            assert_eq!(good.parse::<NamedVolumeName>().unwrap().as_str(), good);
        }
        for (bad, reason) in [
            ("", "empty"),
            (".", "begins with"),
            ("..", "begins with"),
            (".new-1", "begins with"),
            ("-a", "begins with"),
            ("a/b", "only letters"),
            ("a b", "only letters"),
            ("a\0", "only letters"),
            ("é", "begins with"),
            (&"x".repeat(256), "longer than"),
        ] {
            let error = bad.parse::<NamedVolumeName>().unwrap_err().to_string();
            assert!(error.contains(reason), "{bad:?}: {error}");
        }
    }
}
