//! Paths inside of an app's root filesystem.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An absolute path as an app sees it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AppPath(String);

/// A text that is not an absolute path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an absolute path")]
pub struct NotAPath(String);

impl AppPath {
    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for AppPath {
    type Error = NotAPath;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.starts_with('/') && !text.contains('\0') {
            true => Ok(Self(text)),
            false => Err(NotAPath(text)),
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
}
