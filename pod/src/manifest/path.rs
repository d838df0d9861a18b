//! Paths inside of an app's root filesystem.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An absolute path as an app sees it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AppPath(String);

/// Longest path, in bytes: what the kernel takes, without the zero at its end.
const LONGEST: usize = 4095;

/// A text that is not an absolute path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAPath {
    /// It does not begin at the root, or ends before it seems to.
    #[error("{0:?} is not an absolute path")]
    NotAbsolute(String),
    /// No call of the kernel takes it.
    #[error("a path of {0} bytes is too long, {LONGEST} are the most")]
    TooLong(usize),
}

impl AppPath {
    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for AppPath {
    type Error = NotAPath;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text.len() > LONGEST {
            return Err(NotAPath::TooLong(text.len()));
        }
        match text.starts_with('/') && !text.contains('\0') {
            true => Ok(Self(text)),
            false => Err(NotAPath::NotAbsolute(text)),
        }
    }
}

impl From<AppPath> for String {
    fn from(path: AppPath) -> Self {
        path.0
    }
}

impl fmt::Display for AppPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_absolute_and_end_where_they_seem_to() {
        for good in ["/", "/srv/data", "/a/../b"] {
            let path = AppPath::try_from(good.to_owned()).unwrap();
            assert_eq!((path.as_str(), path.to_string()), (good, good.to_owned()));
        }
        for bad in ["", "srv", "./srv", "/srv\0/etc"] {
            assert!(AppPath::try_from(bad.to_owned()).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_path_is_as_long_as_the_kernel_takes_it() {
        let of = |length: usize| AppPath::try_from(format!("/{}", "x".repeat(length - 1)));
        assert!(of(LONGEST).is_ok());
        let error = of(LONGEST + 1).unwrap_err().to_string();
        assert_eq!(error, "a path of 4096 bytes is too long, 4095 are the most");
    }
}
