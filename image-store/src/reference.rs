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

use oci_spec::image::Digest;

use crate::digest::{parse_digest, sha256};
use crate::error::StoreError;

/// The registry of references that name no host.
pub(crate) const DEFAULT_REGISTRY: &str = "docker.io";

/// The tag of references that have neither tag nor digest.
pub(crate) const DEFAULT_TAG: &str = "latest";

/// Longest text that is looked at at all, in bytes.
const MAX_INPUT: usize = 1024;

/// Longest `HOST[:PORT]`, in bytes: a DNS name and a port.
const MAX_REGISTRY: usize = 253 + 6;

/// Longest `HOST[:PORT]/NAME`, in bytes, as the registries limit it.
const MAX_REPOSITORY: usize = 255;

/// Longest tag, in bytes (OCI distribution 1.1).
const MAX_TAG: usize = 128;

/// Longest file name that the file systems take, in bytes.
const MAX_FILE_NAME: usize = 255;

/// A parsed, canonical image reference.
///
/// It always has a tag, a digest or both. Where it has a digest, that decides and the tag is
/// only carried along.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Reference {
    registry: String,
    path: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

impl Reference {
    /// Parses a reference as a user types it.
    ///
    /// # Errors
    /// [`StoreError::InvalidReference`] names the rule that the text breaks.
    pub fn parse(text: &str) -> Result<Self, StoreError> {
        parse(text).map_err(|reason| StoreError::InvalidReference {
            reference: shown(text),
            reason: reason.to_owned(),
        })
    }

    /// Whether `text` leaves out the registry, so that it is a short name: which image it means is
    /// then for the configuration to say ([`crate::registry::Registries::candidates`]).
    pub fn is_short(text: &str) -> bool {
        text.split_once('/')
            .is_none_or(|(first, _)| !is_host(first))
    }

    /// The registry, `host[:port]`, in lower case.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The name within the registry, such as `library/busybox`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Registry and name, such as `docker.io/library/busybox`: what trust rules are matched with.
    pub fn repository(&self) -> String {
        format!("{}/{}", self.registry, self.path)
    }

    /// The tag, if the reference has one.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest (sha256), if the reference has one.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// The same repository with this digest instead of any tag and digest.
    pub fn at_digest(&self, digest: &Digest) -> Self {
        Self {
            registry: self.registry.clone(),
            path: self.path.clone(),
            tag: None,
            digest: Some(digest.clone()),
        }
    }

    /// A file name for this reference, at most 255 bytes and never `.` or `..`.
    ///
    /// It is the canonical form with `/` as `%2F`, so it reads well and
    /// [`Reference::from_file_name`] gives the reference back. Where that is too long it is `%` and
    /// the sha256 of the canonical form, from which nothing comes back.
    pub fn file_name(&self) -> String {
        let mut escaped = String::with_capacity(MAX_FILE_NAME);
        escaped.push_str(&self.registry);
        for component in self.path.split('/') {
            escaped.push_str("%2F");
            escaped.push_str(component);
        }
        for (mark, part) in [
            (':', self.tag.as_deref()),
            ('@', self.digest.as_ref().map(AsRef::as_ref)),
        ] {
            if let Some(part) = part {
                escaped.push(mark);
                escaped.push_str(part);
            }
        }
        match escaped.len() {
            ..=MAX_FILE_NAME => escaped,
            _ => format!("%{}", sha256(self.to_string().as_bytes()).digest()),
        }
    }

    /// The reference that [`Reference::file_name`] was made of, unless it was hashed.
    pub fn from_file_name(name: &str) -> Option<Self> {
        let reference = Self::parse(&name.replace("%2F", "/")).ok()?;
        (reference.file_name() == name).then_some(reference)
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.path)?;
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
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl serde::Serialize for Reference {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Reference {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

fn parse(text: &str) -> Result<Reference, &'static str> {
    if text.is_empty() {
        return Err("it is empty");
    }
    if text.len() > MAX_INPUT {
        return Err("it is longer than 1024 bytes");
    }
    let (rest, digest) = match text.split_once('@') {
        Some((rest, digest)) => {
            let digest = parse_digest(digest).map_err(
                |_| "the part after \"@\" must be \"sha256:\" and 64 lower-case hex digits",
            )?;
            (rest, Some(digest))
        }
        None => (text, None),
    };
    // A colon after the last slash begins a tag; one before it belongs to the port.
    let name_start = rest.rfind('/').map_or(0, |slash| slash + 1);
    let (name, tag) = match rest.get(name_start..).and_then(|last| last.find(':')) {
        Some(colon) => {
            let (name, tag) = rest.split_at(name_start + colon);
            let tag = tag.strip_prefix(':').unwrap_or(tag);
            check_tag(tag)?;
            (name, Some(tag.to_owned()))
        }
        None => (rest, None),
    };
    let (registry, path) = split_registry(name)?;
    check_path(&path)?;
    if registry.len() + 1 + path.len() > MAX_REPOSITORY {
        return Err("registry and name are longer than 255 bytes");
    }
    let tag = match (&tag, &digest) {
        (None, None) => Some(DEFAULT_TAG.to_owned()),
        _ => tag,
    };
    Ok(Reference {
        registry,
        path,
        tag,
        digest,
    })
}

/// Splits `[HOST[:PORT]/]NAME` and fills in what Docker Hub leaves out.
fn split_registry(name: &str) -> Result<(String, String), &'static str> {
    let hub = |path: &str| {
        let path = if path.contains('/') {
            path.to_owned()
        } else {
            format!("library/{path}")
        };
        (DEFAULT_REGISTRY.to_owned(), path)
    };
    let Some((first, rest)) = name.split_once('/') else {
        if name.len() == 64 && name.bytes().all(is_lower_hex) {
            return Err("64 hex digits are a digest, not a name");
        }
        return Ok(hub(name));
    };
    if !is_host(first) {
        if first.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(
                "a name is in lower case, and a host has a dot or a port, such as HOST:443",
            );
        }
        return Ok(hub(name));
    }
    check_registry(first)?;
    let registry = first.to_ascii_lowercase();
    if registry == DEFAULT_REGISTRY || registry == "index.docker.io" {
        return Ok(hub(rest));
    }
    Ok((registry, rest.to_owned()))
}

/// Whether the first component of a name is a registry's host.
fn is_host(first: &str) -> bool {
    first.contains(['.', ':']) || first.eq_ignore_ascii_case("localhost")
}

/// Checks `HOST[:PORT]`.
pub(crate) fn check_registry(registry: &str) -> Result<(), &'static str> {
    if registry.len() > MAX_REGISTRY {
        return Err("the registry host is too long");
    }
    let (host, port) = if let Some(rest) = registry.strip_prefix('[') {
        let (address, port) = rest
            .split_once(']')
            .ok_or("\"[\" without \"]\" in the host")?;
        address
            .parse::<std::net::Ipv6Addr>()
            .map_err(|_| "the host in brackets is no IPv6 address")?;
        match port {
            "" => ("", None),
            _ => (
                "",
                Some(
                    port.strip_prefix(':')
                        .ok_or("text between \"]\" and \"/\"")?,
                ),
            ),
        }
    } else {
        match registry.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (registry, None),
        }
    };
    if let Some(port) = port {
        let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        if !digits || !port.parse::<u16>().is_ok_and(|port| port != 0) {
            return Err("the port must be a number from 1 to 65535");
        }
    }
    if registry.starts_with('[') {
        return Ok(());
    }
    let label_ok = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if host.split('.').all(label_ok) {
        Ok(())
    } else {
        Err("the registry host is no valid host name")
    }
}

/// Checks a name: components of `[a-z0-9]+` joined by `.`, `_`, `__` or dashes.
pub(crate) fn check_path(path: &str) -> Result<(), &'static str> {
    if path.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err("the name must be in lower case");
    }
    let component_ok = |component: &str| {
        let alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        component
            .bytes()
            .all(|byte| alphanumeric(byte) || matches!(byte, b'.' | b'_' | b'-'))
            && component.bytes().next().is_some_and(alphanumeric)
            && component.bytes().last().is_some_and(alphanumeric)
            && component
                .split(|c: char| c.is_ascii_alphanumeric())
                .all(|separator| {
                    matches!(separator, "" | "." | "_" | "__")
                        || separator.bytes().all(|byte| byte == b'-')
                })
    };
    if path.split('/').all(component_ok) {
        Ok(())
    } else {
        Err("each part of the name must be of a-z and 0-9, joined by \".\", \"_\", \"__\" or \"-\"")
    }
}

fn check_tag(tag: &str) -> Result<(), &'static str> {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let valid = tag.len() <= MAX_TAG
        && tag.bytes().next().is_some_and(word)
        && tag
            .bytes()
            .all(|byte| word(byte) || matches!(byte, b'.' | b'-'));
    if valid {
        Ok(())
    } else {
        Err(
            "the tag must be 1 to 128 of a-z, A-Z, 0-9, \"_\", \".\" and \"-\", \
             not beginning with \".\" or \"-\"",
        )
    }
}

fn is_lower_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

/// A text cut so that an error about it stays one short line; the error escapes it.
fn shown(text: &str) -> String {
    const MAX_SHOWN: usize = 120;
    let cut: String = text.chars().take(MAX_SHOWN).collect();
    let dots = if cut.len() < text.len() { "..." } else { "" };
    format!("{cut}{dots}")
}

#[cfg(test)]
mod tests;
