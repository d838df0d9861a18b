//! Names of images in signatures and in a containers policy.json, compared as containers/image does.

use std::fmt;

use image_name::{Prefix, Reference, Repository};

/// Docker Hub by the one name that it has in comparisons.
const HUB: &str = "docker.io";

/// The name of an image with what it leaves out, as signers and administrators write it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DockerName {
    /// `HOST[:PORT]/PATH`. The host is as it was written: another case is another host.
    pub(super) repository: String,
    pub(super) tag: Option<String>,
    pub(super) digest: Option<String>,
}

impl DockerName {
    /// The name that a text stands for, if it is one. No tag is filled in.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest)),
            None => (text, None),
        };
        let (name, tag) = match rest.rsplit_once(':') {
            // A colon in front of a slash belongs to the port.
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
            _ => (rest, None),
        };
        let repository = full(name)?;
        if let Some(tag) = tag {
            Reference::parse_full(&format!("{}:{tag}", checkable(&repository))).ok()?;
        }
        if digest.is_some_and(|digest| !is_digest(digest)) {
            return None;
        }
        Some(Self {
            repository,
            tag: tag.map(str::to_owned),
            digest: digest.map(str::to_owned),
        })
    }

    /// What an image was asked for by. A tag beside a digest decides nothing, and podman leaves it out.
    pub(super) fn asked(image: &Reference) -> Self {
        let digest = image.digest().map(ToString::to_string);
        Self {
            repository: image.repository().to_string(),
            tag: match digest {
                Some(_) => None,
                None => image.tag().map(str::to_owned),
            },
            digest,
        }
    }

    /// Whether it has neither tag nor digest.
    pub(super) fn is_name_only(&self) -> bool {
        self.tag.is_none() && self.digest.is_none()
    }

    /// Whether both are the same in every part; what has neither tag nor digest is nothing exact.
    pub(super) fn is_exactly(&self, other: &Self) -> bool {
        self == other && !self.is_name_only()
    }

    /// The name with `signed_prefix` instead of `prefix`, or as it is if it doesn't begin with that.
    /// `None` if what comes out leaves something out.
    pub(super) fn remapped(self, prefix: &str, signed_prefix: &str) -> Option<Self> {
        let Some(repository) = replaced(&self.repository, prefix, signed_prefix) else {
            return Some(self);
        };
        let text = Self { repository, ..self }.to_string();
        Self::parse(&text).filter(|name| name.to_string() == text)
    }
}

impl fmt::Display for DockerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

/// A repository with another prefix, if it begins with this one in whole components.
pub(super) fn replaced(repository: &str, prefix: &str, signed_prefix: &str) -> Option<String> {
    repository
        .strip_prefix(prefix)
        .filter(|rest| rest.is_empty() || rest.starts_with('/'))
        .map(|rest| format!("{signed_prefix}{rest}"))
}

/// Whether a text can be what names begin with: a host, or a name.
pub(super) fn is_prefix(text: &str) -> bool {
    let is_name = DockerName::parse(text).is_some_and(|name| name.is_name_only());
    is_name || (text != "*" && Prefix::parse(&text.to_ascii_lowercase()).is_ok())
}

/// A repository with what Docker Hub's names leave out.
fn full(name: &str) -> Option<String> {
    if name.len() == 64 && name.bytes().all(is_hex) {
        return None;
    }
    let is_host = |first: &str| {
        first.contains(['.', ':'])
            || first == "localhost"
            || first.bytes().any(|byte| byte.is_ascii_uppercase())
    };
    let (host, path) = match name.split_once('/') {
        Some((first, rest)) if is_host(first) => (first, rest),
        _ => (HUB, name),
    };
    let host = if host == "index.docker.io" { HUB } else { host };
    let repository = match host == HUB && !path.contains('/') {
        true => format!("{host}/library/{path}"),
        false => format!("{host}/{path}"),
    };
    Repository::parse(&checkable(&repository))
        .ok()
        .map(|_| repository)
}

/// A repository as this program's own grammar takes it, which wants hosts in lower case. A host that is
/// one by its capitals alone would then be none, so it gets a dot.
fn checkable(repository: &str) -> String {
    let (host, path) = repository.split_once('/').unwrap_or((repository, ""));
    let host = match host.contains(['.', ':']) || host == "localhost" {
        true => host.to_ascii_lowercase(),
        false => format!("{}.x", host.to_ascii_lowercase()),
    };
    format!("{host}/{path}")
}

/// Whether a text is a digest of an algorithm that registries know.
fn is_digest(text: &str) -> bool {
    let Some((algorithm, hex)) = text.split_once(':') else {
        return false;
    };
    let length = match algorithm {
        "sha256" => 64,
        "sha384" => 96,
        "sha512" => 128,
        _ => return false,
    };
    hex.len() == length && hex.bytes().all(is_hex)
}

fn is_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}
