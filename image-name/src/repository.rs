//! Repositories: what rules are matched with and signatures name.

use std::fmt;
use std::str::FromStr;

use crate::error::NameError;
use crate::grammar::{DOCKER_HUB, MAX_REPOSITORY, check_path, check_registry, check_tag, is_host};

/// Docker Hub as cosign's library names it, and as Docker once did.
pub(crate) const HUB_ALIAS: &str = "index.docker.io";

/// A canonical repository, `HOST[:PORT]/PATH`, in lower case, with nothing left out.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Repository(String);

impl Repository {
    /// Parses the canonical form alone; [`Reference::parse`](crate::Reference::parse) takes what users
    /// type.
    ///
    /// # Errors
    /// [`NameError::Repository`] for a name without a registry host or a path, with a tag, a digest or
    /// a scheme, or in upper case.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        check(text).map_err(|reason| NameError::repository(text, reason))?;
        match text.contains('/') {
            true => Ok(Self(text.to_owned())),
            false => Err(NameError::repository(
                text,
                "it has no path after the registry host",
            )),
        }
    }

    /// Makes one of parts that the grammar has taken, the registry in lower case.
    pub(crate) fn of(registry: &str, path: &str) -> Self {
        Self(format!("{registry}/{path}"))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The registry, `HOST[:PORT]`.
    #[must_use]
    pub fn registry(&self) -> &str {
        self.0.split_once('/').map_or(&self.0, |(host, _)| host)
    }

    /// The path within the registry, such as `library/busybox`.
    #[must_use]
    pub fn path(&self) -> &str {
        self.0.split_once('/').map_or("", |(_, path)| path)
    }

    /// Whether the `docker-reference` of a signature stands for this repository: the repository
    /// itself (cosign), or with a tag (podman). Docker Hub's older host name is the same host.
    #[must_use]
    pub fn is_named_by(&self, docker_reference: &str) -> bool {
        let rest = match docker_reference.strip_prefix(HUB_ALIAS) {
            Some(path) => self
                .0
                .strip_prefix(DOCKER_HUB)
                .and_then(|own| path.strip_prefix(own)),
            None => docker_reference.strip_prefix(self.as_str()),
        };
        match rest {
            Some("") => true,
            Some(rest) => rest
                .strip_prefix(':')
                .is_some_and(|tag| check_tag(tag).is_ok()),
            None => false,
        }
    }
}

/// Checks `HOST[:PORT][/PATH]` in canonical form.
pub(crate) fn check(text: &str) -> Result<(), &'static str> {
    if text.is_empty() {
        return Err("it is empty");
    }
    if text.len() > MAX_REPOSITORY {
        return Err("it is longer than 255 bytes");
    }
    if text.contains("://") {
        return Err("leave the scheme out");
    }
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err("it must be in lower case");
    }
    if text.contains('@') {
        return Err("leave the digest out");
    }
    if text.contains('*') {
        return Err("\"*\" stands alone, for all images; there are no other wildcards");
    }
    let (host, path) = match text.split_once('/') {
        Some((host, path)) => (host, Some(path)),
        None => (text, None),
    };
    if host == HUB_ALIAS {
        return Err("write Docker Hub as \"docker.io\"");
    }
    // Without a dot, a colon or `localhost` a reference takes it for the first part of a path.
    if !is_host(host) {
        return Err("it must begin with a registry host such as \"docker.io\"");
    }
    check_registry(host)?;
    let Some(path) = path else { return Ok(()) };
    if path.contains(':') {
        return Err("leave the tag out");
    }
    check_path(path)
}

impl AsRef<str> for Repository {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for Repository {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::parse(text)
    }
}

crate::error::serde_as_text!(Repository);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Prefix;

    fn names(docker_reference: &str, repository: &str) -> bool {
        Repository::parse(repository)
            .unwrap()
            .is_named_by(docker_reference)
    }

    #[test]
    fn a_repository_has_a_registry_and_a_path() {
        let repository = Repository::parse("[::1]:5000/a/b").unwrap();
        assert_eq!(
            (repository.registry(), repository.path()),
            ("[::1]:5000", "a/b")
        );
        assert_eq!(repository.as_ref(), repository.to_string());
    }

    #[test]
    fn names_that_could_never_match_are_refused() {
        let long = format!("a.io/{}", "x".repeat(300));
        for (text, part) in [
            ("", "it is empty"),
            ("nginx", "must begin with a registry host"),
            ("team/app", "must begin with a registry host"),
            ("A.io/foo", "lower case"),
            ("a.io/Foo", "lower case"),
            ("a.io/foo/", "each part of the name"),
            ("a.io//foo", "each part of the name"),
            ("a.io/../foo", "each part of the name"),
            ("a.io/foo\n", "each part of the name"),
            ("a.io/foö", "each part of the name"),
            ("a.io/a..b", "each part of the name"),
            ("a.io/", "each part of the name"),
            ("/foo", "must begin with a registry host"),
            ("https://a.io/foo", "leave the scheme out"),
            ("a.io/foo:1", "leave the tag out"),
            ("a.io/foo@sha256:00", "leave the digest out"),
            ("a.io/*", "\"*\" stands alone"),
            ("*.a.io", "\"*\" stands alone"),
            ("a..io/x", "not a valid host name"),
            ("-a.io/x", "not a valid host name"),
            ("[::g]/x", "not an IPv6 address"),
            ("a.io:0/x", "the port"),
            ("a.io:/x", "the port"),
            ("a.io:65536/x", "the port"),
            ("a.io:+80/x", "the port"),
            ("a.io:080/x", "the port"),
            ("a.io:8x/x", "the port"),
            ("[::1]80/x", "between \"]\" and \"/\""),
            ("index.docker.io/library/x", "write Docker Hub as"),
            (&long, "longer than 255"),
        ] {
            for error in [Prefix::parse(text).err(), Repository::parse(text).err()] {
                let error = error.unwrap().to_string();
                assert!(
                    error.contains(part) && !error.contains('\n'),
                    "{text:?}: {error}"
                );
            }
        }
        for (text, part) in [
            ("a.io", "no path after the registry host"),
            ("*", "stands alone"),
        ] {
            let error = Repository::parse(text).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn signatures_name_the_repository_alone_or_with_a_tag() {
        assert!(names("a.io/foo", "a.io/foo"));
        assert!(names("a.io/foo:V1.0-rc_1", "a.io/foo"));
        assert!(names("a.io:5000/foo:1", "a.io:5000/foo"));
        assert!(names("index.docker.io/library/x", "docker.io/library/x"));
        assert!(names("index.docker.io/library/x:1", "docker.io/library/x"));
        for reference in [
            "",
            "a.io",
            "a.io/fo",
            "a.io/foobar",
            "a.io/foo/x",
            "a.io/foo:",
            "a.io/foo:a/b",
            "a.io/foo:-x",
            "a.io/foo:x:y",
            "a.io/foo@sha256:00",
            "A.io/foo",
            "a.io/Foo",
            " a.io/foo",
            "a.io/foo ",
            "a.io/foo\n",
            "a.io:443/foo",
            "https://a.io/foo",
            "foo",
            "a.io/foo:é",
        ] {
            assert!(!names(reference, "a.io/foo"), "{reference:?}");
        }
        assert!(!names("index.docker.io/library/xy", "docker.io/library/x"));
        assert!(!names(
            "index.docker.io.evil.net/library/x",
            "docker.io/library/x"
        ));
        assert!(!names("index.docker.io/library/x", "a.io/library/x"));
        assert!(!names(
            "index.docker.io/library/x",
            "docker.iox.net/library/x"
        ));
    }
}
