//! Image references: `HOST[:PORT]/NAME[:TAG][@DIGEST]`.
//!
//! The grammar is the one of the OCI distribution specification and of Docker: a first component
//! that holds a dot or a colon, or is `localhost`, is a registry host; anything else belongs to
//! Docker Hub, where a name of one component lives below `library/`. Parsing is strict and
//! canonical: two spellings of one image give equal [`Reference`]s, and the canonical text parses
//! to what it was made of. Docker takes a first component in upper case for a host too; written in
//! lower case, as hosts are here, it would name another image, so it is refused.

use std::fmt;
use std::str::FromStr;

use crate::digest::Digest;
use crate::error::NameError;
use crate::grammar::{
    DEFAULT_TAG, DOCKER_HUB, MAX_REPOSITORY, check_path, check_registry, check_tag, is_host, split,
};
use crate::repository::{HUB_ALIAS, Repository};

/// A parsed, canonical image reference.
///
/// It always has a tag, a digest or both. Where it has a digest, that decides and the tag is
/// only carried along.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    repository: Repository,
    tag: Option<String>,
    digest: Option<Digest>,
}

impl Reference {
    /// Parses a reference as a user types it.
    ///
    /// # Errors
    /// [`NameError::Reference`] names the rule that the text breaks.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        parse(text).map_err(|reason| NameError::reference(text, reason))
    }

    /// Parses a reference whose repository leaves nothing out.
    ///
    /// # Errors
    /// [`NameError::Repository`] for a repository that [`Repository::parse`] refuses,
    /// [`NameError::Reference`] for another rule that the text breaks.
    pub fn parse_full(text: &str) -> Result<Self, NameError> {
        let (name, tag, digest) = split(text);
        let (tag, digest) =
            version(tag, digest).map_err(|reason| NameError::reference(text, reason))?;
        Ok(Self {
            repository: Repository::parse(name)?,
            tag,
            digest,
        })
    }

    /// Whether `text` leaves out the registry, so that it is a short name: which image it means is
    /// then for the configuration to say.
    #[must_use]
    pub fn is_short(text: &str) -> bool {
        text.split_once('/')
            .is_none_or(|(first, _)| !is_host(first))
    }

    /// Registry and name, such as `docker.io/library/busybox`: what rules are matched with.
    #[must_use]
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// The registry, `host[:port]`, in lower case.
    #[must_use]
    pub fn registry(&self) -> &str {
        self.repository.registry()
    }

    /// The name within the registry, such as `library/busybox`.
    #[must_use]
    pub fn path(&self) -> &str {
        self.repository.path()
    }

    /// The tag, if the reference has one.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest, if the reference has one.
    #[must_use]
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// The same repository with this digest instead of any tag and digest.
    #[must_use]
    pub fn at_digest(&self, digest: &Digest) -> Self {
        Self {
            repository: self.repository.clone(),
            tag: None,
            digest: Some(digest.clone()),
        }
    }

    /// The same repository with this tag instead of any tag and digest.
    ///
    /// # Errors
    /// [`NameError::Reference`] for what is no tag.
    pub fn at_tag(&self, tag: &str) -> Result<Self, NameError> {
        check_tag(tag).map_err(|reason| {
            NameError::reference(&format!("{}:{tag}", self.repository), reason)
        })?;
        Ok(Self {
            repository: self.repository.clone(),
            tag: Some(tag.to_owned()),
            digest: None,
        })
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.repository.as_str())?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

impl FromStr for Reference {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

crate::error::serde_as_text!(Reference);

fn parse(text: &str) -> Result<Reference, &'static str> {
    if text.is_empty() {
        return Err("it is empty");
    }
    let (name, tag, digest) = split(text);
    let (tag, digest) = version(tag, digest)?;
    let (registry, path) = split_registry(name)?;
    check_path(&path)?;
    if registry.len() + 1 + path.len() > MAX_REPOSITORY {
        return Err("registry and name are longer than 255 bytes");
    }
    Ok(Reference {
        repository: Repository::of(&registry, &path),
        tag,
        digest,
    })
}

/// Tag and digest of a reference; it has one of them at least.
fn version(
    tag: Option<&str>,
    digest: Option<&str>,
) -> Result<(Option<String>, Option<Digest>), &'static str> {
    let digest = digest
        .map(Digest::parse)
        .transpose()
        .map_err(|_| "the part after \"@\" must be \"sha256:\" and 64 lower-case hex digits")?;
    if let Some(tag) = tag {
        check_tag(tag)?;
    }
    let tag = tag.or(match digest {
        Some(_) => None,
        None => Some(DEFAULT_TAG),
    });
    Ok((tag.map(str::to_owned), digest))
}

/// Splits `[HOST[:PORT]/]NAME` and fills in what Docker Hub leaves out.
fn split_registry(name: &str) -> Result<(String, String), &'static str> {
    let hub = |path: &str| {
        let path = match path.contains('/') {
            true => path.to_owned(),
            false => format!("library/{path}"),
        };
        (DOCKER_HUB.to_owned(), path)
    };
    let Some((first, rest)) = name.split_once('/') else {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        return match name.len() == 64 && name.bytes().all(is_digit) {
            true => Err("64 hex digits are a digest, not a name"),
            false => Ok(hub(name)),
        };
    };
    if !is_host(first) {
        return match first.bytes().any(|byte| byte.is_ascii_uppercase()) {
            true => {
                Err("a name is in lower case, and a host has a dot or a port, such as HOST:443")
            }
            false => Ok(hub(name)),
        };
    }
    check_registry(first)?;
    let registry = first.to_ascii_lowercase();
    match registry == DOCKER_HUB || registry == HUB_ALIAS {
        true => Ok(hub(rest)),
        false => Ok((registry, rest.to_owned())),
    }
}

#[cfg(test)]
mod tests;
