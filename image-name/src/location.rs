//! Registries and parts of them.

use std::fmt;

use crate::error::NameError;
use crate::grammar::{check_path, check_registry};
use crate::repository::Repository;

/// A registry, or a part of one: `HOST[:PORT][/PATH]`.
///
/// Here a host may be any host name: where images are kept need not be a place that references can
/// name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Location {
    text: String,
    /// Bytes of `HOST[:PORT]`.
    host: usize,
}

impl Location {
    /// Parses a location. The host is taken in any case, and slashes at the end are left out.
    ///
    /// # Errors
    /// [`NameError::Location`].
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let (registry, path) = match text.split_once('/') {
            Some((registry, path)) => (registry, path.trim_end_matches('/')),
            None => (text, ""),
        };
        let error = |reason| NameError::location(text, reason);
        check_registry(registry).map_err(error)?;
        if !path.is_empty() {
            check_path(path).map_err(error)?;
        }
        Ok(Self::registry_of(registry.to_ascii_lowercase()).join(path))
    }

    fn registry_of(text: String) -> Self {
        let host = text.len();
        Self { text, host }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// `HOST[:PORT]`.
    #[must_use]
    pub fn registry(&self) -> &str {
        self.text.get(..self.host).unwrap_or_default()
    }

    /// The path, without a slash at its ends; may be empty.
    #[must_use]
    pub fn path(&self) -> &str {
        let path = self.text.get(self.host..).unwrap_or_default();
        path.strip_prefix('/').unwrap_or(path)
    }

    /// What is called `rest` below here: the end of another name, or nothing.
    #[must_use]
    pub fn join(&self, rest: &str) -> Self {
        let rest = rest.trim_start_matches('/');
        let mut text = self.text.clone();
        if !rest.is_empty() {
            text.push('/');
            text.push_str(rest);
        }
        Self {
            text,
            host: self.host,
        }
    }
}

impl From<&Repository> for Location {
    fn from(repository: &Repository) -> Self {
        Self::registry_of(repository.registry().to_owned()).join(repository.path())
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> (String, String, String) {
        let location = Location::parse(text).unwrap();
        (
            location.registry().to_owned(),
            location.path().to_owned(),
            location.to_string(),
        )
    }

    #[test]
    fn registries_and_parts_of_them_are_locations() {
        for (text, registry, path, canonical) in [
            ("a.io", "a.io", "", "a.io"),
            ("A.io/", "a.io", "", "a.io"),
            ("mirror", "mirror", "", "mirror"),
            ("a.io:5000/x/y//", "a.io:5000", "x/y", "a.io:5000/x/y"),
            ("[::1]:5000/x", "[::1]:5000", "x", "[::1]:5000/x"),
        ] {
            let (found_registry, found_path, found) = parts(text);
            assert_eq!(
                (found_registry.as_str(), found_path.as_str(), found.as_str()),
                (registry, path, canonical),
                "{text}"
            );
        }
        for text in [
            "", "/x", "a.io//x", "a.io/X", "a.io:0", "a.io/x:1", "*.a.io",
        ] {
            assert!(Location::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_below_is_joined_by_one_slash() {
        let joined = |place: &str, rest: &str| Location::parse(place).unwrap().join(rest);
        assert_eq!(joined("a.io", "").as_str(), "a.io");
        assert_eq!(joined("a.io/x", "/y/z").as_str(), "a.io/x/y/z");
        let both = joined("a.io", "y");
        assert_eq!((both.registry(), both.path()), ("a.io", "y"));
    }

    #[test]
    fn a_repository_is_a_location() {
        let repository = Repository::parse("a.io:5000/x/y").unwrap();
        let location = Location::from(&repository);
        assert_eq!(location, Location::parse("a.io:5000/x/y").unwrap());
    }
}
