//! Image references: `HOST[:PORT]/NAME[:TAG][@DIGEST]`.
//!
//! The grammar is the one of the OCI distribution specification and of Docker: a first component
//! that holds a dot or a colon, or is `localhost`, is a registry host; anything else belongs to
//! Docker Hub, where a name of one component lives below `library/`. Parsing is strict and
//! canonical: two spellings of one image give equal [`Reference`]s.

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
        let canonical = self.to_string();
        let escaped = canonical.replace('/', "%2F");
        if escaped.len() <= MAX_FILE_NAME {
            escaped
        } else {
            format!("%{}", sha256(canonical.as_bytes()).digest())
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
    let is_host = first.contains(['.', ':'])
        || first.eq_ignore_ascii_case("localhost")
        || first.bytes().any(|byte| byte.is_ascii_uppercase());
    if !is_host {
        return Ok(hub(name));
    }
    check_registry(first)?;
    let registry = first.to_ascii_lowercase();
    if registry == DEFAULT_REGISTRY || registry == "index.docker.io" {
        return Ok(hub(rest));
    }
    Ok((registry, rest.to_owned()))
}

fn check_registry(registry: &str) -> Result<(), &'static str> {
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
fn check_path(path: &str) -> Result<(), &'static str> {
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
mod tests {
    use super::*;

    const HEX: &str = "6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b";

    fn canonical(text: &str) -> String {
        Reference::parse(text).unwrap().to_string()
    }

    #[test]
    fn spellings_of_one_image_are_equal() {
        for text in [
            "busybox",
            "busybox:latest",
            "library/busybox",
            "docker.io/busybox",
            "docker.io/library/busybox:latest",
            "index.docker.io/busybox",
            "Docker.IO/library/busybox",
        ] {
            assert_eq!(
                canonical(text),
                "docker.io/library/busybox:latest",
                "{text}"
            );
        }
    }

    #[test]
    fn registries_ports_tags_and_digests() {
        assert_eq!(canonical("localhost/a"), "localhost/a:latest");
        assert_eq!(canonical("localhost:5000/a/b:V1"), "localhost:5000/a/b:V1");
        assert_eq!(canonical("[::1]:5000/a"), "[::1]:5000/a:latest");
        assert_eq!(
            canonical("10.0.0.1/a__b/c-d.e"),
            "10.0.0.1/a__b/c-d.e:latest"
        );
        assert_eq!(canonical("team/app:1"), "docker.io/team/app:1");
        assert_eq!(
            canonical(&format!("q.io/a@sha256:{HEX}")),
            format!("q.io/a@sha256:{HEX}")
        );
        let both = Reference::parse(&format!("q.io/a:x@sha256:{HEX}")).unwrap();
        assert_eq!(
            (both.tag(), both.repository().as_str()),
            (Some("x"), "q.io/a")
        );
        assert_eq!(both.digest().unwrap().digest(), HEX);
        assert_eq!(Reference::parse("q.io/a@x").ok(), None);
    }

    #[test]
    fn canonical_form_is_a_fixed_point() {
        for text in [
            "busybox",
            "localhost:5000/a/b:V1",
            "[::1]:5000/a",
            "a.b/c:d",
        ] {
            let once = canonical(text);
            assert_eq!(canonical(&once), once);
        }
    }

    #[test]
    fn hostile_texts_are_refused() {
        let long = "a".repeat(300);
        let digest_upper = format!("a@sha256:{}", HEX.to_uppercase());
        let digest_other = format!("a@sha512:{HEX}{HEX}");
        for text in [
            "",
            "/",
            "a/",
            "/a",
            "a//b",
            "../a",
            "a/../b",
            "A",
            "a/B",
            "q.io/",
            "q.io/a:",
            ":x",
            "q.io/a:-x",
            "q.io/a:.x",
            "a b",
            "a\n",
            "a\0",
            "a%2Fb",
            "q.io:0/a",
            "q.io:65536/a",
            "q.io:/a",
            "q.io:+5/a",
            "-q.io/a",
            "q-.io/a",
            "q..io/a",
            "[::1/a",
            "[x]/a",
            "[::1]x/a",
            "a___b",
            "a._b",
            "a-",
            "_a",
            "a@sha256:00",
            "é",
            "q.io/é",
            "a@",
            "@",
            "q.io/a:b:c",
            HEX,
            &long,
            &digest_upper,
            &digest_other,
        ] {
            assert!(Reference::parse(text).is_err(), "accepted {text:?}");
        }
        assert!(Reference::parse(&format!("q.io/a:{}", "t".repeat(129))).is_err());
        assert!(Reference::parse(&format!("q.io/a:{}", "t".repeat(128))).is_ok());
    }

    #[test]
    fn errors_are_one_short_line() {
        let message = Reference::parse(&"\u{1b}[31m\n".repeat(100))
            .unwrap_err()
            .to_string();
        assert!(
            message.len() < 1000 && !message.contains(['\n', '\u{1b}']),
            "{message}"
        );
    }

    #[test]
    fn file_names_come_back_or_are_hashed() {
        for text in ["busybox", "localhost:5000/a/b:V1", "[::1]:5000/a__b"] {
            let reference = Reference::parse(text).unwrap();
            let name = reference.file_name();
            assert!(!name.contains('/') && !name.starts_with('.'), "{name}");
            assert_eq!(Reference::from_file_name(&name), Some(reference));
        }
        let path = format!("{}/{}", "a".repeat(100), "b".repeat(100));
        let long = Reference::parse(&format!("q.io/{path}:{}", "t".repeat(128))).unwrap();
        let other = Reference::parse(&format!("q.io/{path}:{}", "u".repeat(128))).unwrap();
        assert_eq!(long.file_name().len(), 65);
        assert_ne!(long.file_name(), other.file_name());
        assert_eq!(Reference::from_file_name(&long.file_name()), None);
    }

    #[test]
    fn serialised_as_its_canonical_text() {
        let reference = Reference::parse("busybox").unwrap();
        let json = serde_json::to_string(&reference).unwrap();
        assert_eq!(json, "\"docker.io/library/busybox:latest\"");
        assert_eq!(serde_json::from_str::<Reference>(&json).unwrap(), reference);
        assert!(serde_json::from_str::<Reference>("\"A\"").is_err());
    }
}
