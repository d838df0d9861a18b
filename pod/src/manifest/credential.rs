//! Credentials that a service manager hands to services (systemd.exec(5)).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Longest name, in bytes.
const NAME_MAX: usize = 255;

/// A credential's name: that of a file, of printable ASCII characters other than `/`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CredentialName(String);

/// Why a text names no credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a credential is called by up to 255 printable ASCII characters other than `/`, and not `.` or `..`"
)]
pub struct InvalidCredentialName;

impl CredentialName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for CredentialName {
    type Err = InvalidCredentialName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_plain = |byte: u8| (b'!'..0x7f).contains(&byte) && byte != b'/' || byte == b' ';
        let is_name = !text.is_empty()
            && text.len() <= NAME_MAX
            && !matches!(text, "." | "..")
            && text.bytes().all(is_plain);
        match is_name {
            true => Ok(Self(text.to_owned())),
            false => Err(InvalidCredentialName),
        }
    }
}

impl TryFrom<String> for CredentialName {
    type Error = InvalidCredentialName;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<CredentialName> for String {
    fn from(name: CredentialName) -> Self {
        name.0
    }
}

impl fmt::Display for CredentialName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_that_of_a_file() {
        for good in [
            "a",
            "db.password",
            "dir_file",
            "a b",
            "-x",
            &"x".repeat(255),
        ] {
            assert!(good.parse::<CredentialName>().is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "a/b", "a\nb", "ä", &"x".repeat(256)] {
            assert!(bad.parse::<CredentialName>().is_err(), "{bad}");
        }
    }
}
