//! Names of images: repositories, and what an image is asked for by.

use oci_spec::image::Digest;

use crate::one_line;

/// Longest `HOST[:PORT]/NAME`, in bytes, as registries limit it.
pub(crate) const MAX_NAME: usize = 255;

/// Docker Hub's canonical host.
const HUB: &str = "docker.io";
/// Docker Hub as cosign's library names it.
const HUB_ALIAS: &str = "index.docker.io";

/// Why a text is no repository or prefix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {text} is not valid: {reason}")]
pub struct NameError {
    pub(crate) what: &'static str,
    pub(crate) text: String,
    pub(crate) reason: &'static str,
}

/// A canonical repository, `host[:port]/path`, in lower case: what rules are matched with and what
/// signatures name. Defaults such as `docker.io/library/` are the caller's to fill in.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Repository(pub(crate) String);

impl Repository {
    /// Parses `host[:port]/path`.
    ///
    /// # Errors
    /// [`NameError`] for a name without a registry host or a path, with a tag, a digest or a
    /// scheme, or in upper case.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let error = |reason| NameError {
            what: "repository",
            text: one_line::quoted(text),
            reason,
        };
        check(text).map_err(error)?;
        if text.contains('/') {
            Ok(Self(text.to_owned()))
        } else {
            Err(error("it has no path after the registry host"))
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the `docker-reference` of a signature stands for this repository: the repository
    /// itself (cosign), or with a tag (podman). Docker Hub's older host name is the same host.
    pub(crate) fn is_named_by(&self, docker_reference: &str) -> bool {
        let rest = match docker_reference.strip_prefix(HUB_ALIAS) {
            Some(path) => self
                .0
                .strip_prefix(HUB)
                .and_then(|own| path.strip_prefix(own)),
            None => docker_reference.strip_prefix(self.as_str()),
        };
        match rest {
            Some("") => true,
            Some(rest) => rest.strip_prefix(':').is_some_and(is_tag),
            None => false,
        }
    }
}

/// What an image is asked for by: rules are matched with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageName<'a> {
    /// The repository.
    pub repository: &'a Repository,
    /// The tag that was asked for, or that stands for none (`latest`).
    pub tag: Option<&'a str>,
    /// The digest that was asked for.
    pub digest: Option<&'a Digest>,
}

impl<'a> ImageName<'a> {
    /// A repository, without a tag or digest.
    pub fn of(repository: &'a Repository) -> Self {
        Self {
            repository,
            tag: None,
            digest: None,
        }
    }

    /// The image's reference with another repository; with the digest, if there is one, and else the tag.
    pub(crate) fn reference(&self, repository: &str) -> String {
        match (self.digest, self.tag) {
            (Some(digest), _) => format!("{repository}@{digest}"),
            (None, Some(tag)) => format!("{repository}:{tag}"),
            (None, None) => repository.to_owned(),
        }
    }
}

/// Checks `host[:port][/path]`.
pub(crate) fn check(text: &str) -> Result<(), &'static str> {
    if text.is_empty() {
        return Err("it is empty");
    }
    if text.len() > MAX_NAME {
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
    check_host(host)?;
    let Some(path) = path else { return Ok(()) };
    if path.contains(':') {
        return Err("leave the tag out");
    }
    if path.split('/').all(is_component) {
        Ok(())
    } else {
        Err(
            "each part of the path must be of a-z, 0-9, \".\", \"_\" and \"-\", \
             beginning and ending with a letter or digit",
        )
    }
}

/// Checks `host[:port]` by the rule that references follow: without a dot, a colon or `localhost`
/// it would be the first part of a path.
fn check_host(text: &str) -> Result<(), &'static str> {
    if text == HUB_ALIAS {
        return Err("write Docker Hub as \"docker.io\"");
    }
    if !text.contains(['.', ':']) && text != "localhost" {
        return Err("it must begin with a registry host such as \"docker.io\"");
    }
    let (host_ok, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, port)) => (address.parse::<std::net::Ipv6Addr>().is_ok(), port),
        None => {
            let (host, port) = text.split_at(text.find(':').unwrap_or(text.len()));
            (host.split('.').all(is_label), port)
        }
    };
    if !host_ok {
        return Err("its registry host is no valid host name");
    }
    let port_ok = port.is_empty()
        || port.strip_prefix(':').is_some_and(|port| {
            port.bytes().all(|byte| byte.is_ascii_digit())
                && port.parse::<u16>().is_ok_and(|port| port != 0)
        });
    if port_ok {
        Ok(())
    } else {
        Err("its port must be a number from 1 to 65535")
    }
}

fn is_label(label: &str) -> bool {
    is_alphanumeric_at_ends(label)
        && label
            .bytes()
            .all(|byte| is_alphanumeric(byte) || byte == b'-')
}

fn is_component(component: &str) -> bool {
    is_alphanumeric_at_ends(component)
        && component
            .bytes()
            .all(|byte| is_alphanumeric(byte) || matches!(byte, b'.' | b'_' | b'-'))
}

fn is_alphanumeric_at_ends(text: &str) -> bool {
    text.bytes().next().is_some_and(is_alphanumeric)
        && text.bytes().next_back().is_some_and(is_alphanumeric)
}

fn is_alphanumeric(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

/// Whether a text is a tag (OCI distribution 1.1, "Pulling manifests").
fn is_tag(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    text.len() <= 128
        && text.bytes().next().is_some_and(word)
        && text
            .bytes()
            .all(|byte| word(byte) || matches!(byte, b'.' | b'-'))
}

macro_rules! text_type {
    ($name:ident) => {
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(&self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = crate::name::NameError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::parse(text)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(deserializer)?;
                Self::parse(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}

text_type!(Repository);

pub(crate) use text_type;

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
    fn names_that_could_never_match_are_refused() {
        let long = format!("a.io/{}", "x".repeat(300));
        for (text, part) in [
            ("", "it is empty"),
            ("nginx", "must begin with a registry host"),
            ("team/app", "must begin with a registry host"),
            ("A.io/foo", "lower case"),
            ("a.io/Foo", "lower case"),
            ("a.io/foo/", "each part of the path"),
            ("a.io//foo", "each part of the path"),
            ("a.io/../foo", "each part of the path"),
            ("a.io/foo\n", "each part of the path"),
            ("a.io/foö", "each part of the path"),
            ("a.io/", "each part of the path"),
            ("/foo", "must begin with a registry host"),
            ("https://a.io/foo", "leave the scheme out"),
            ("a.io/foo:1", "leave the tag out"),
            ("a.io/foo@sha256:00", "leave the digest out"),
            ("a.io/*", "\"*\" stands alone"),
            ("*.a.io", "\"*\" stands alone"),
            ("a..io/x", "no valid host name"),
            ("-a.io/x", "no valid host name"),
            ("[::g]/x", "no valid host name"),
            ("a.io:0/x", "its port"),
            ("a.io:/x", "its port"),
            ("a.io:65536/x", "its port"),
            ("a.io:+80/x", "its port"),
            ("[::1]80/x", "its port"),
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
        assert!(Repository::parse("a.io").is_err());
        assert!(Repository::parse("*").is_err());
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
