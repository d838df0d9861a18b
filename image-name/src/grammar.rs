//! The grammar that all names share: hosts, paths and tags, as the OCI distribution specification
//! and Docker have them.

/// Docker Hub: the registry of references that name no host.
pub const DOCKER_HUB: &str = "docker.io";

/// The tag of references that have neither tag nor digest.
pub const DEFAULT_TAG: &str = "latest";

/// Longest `HOST[:PORT]/PATH`, in bytes, as registries limit it.
pub const MAX_REPOSITORY: usize = 255;

/// Longest host name, in bytes (RFC 1035).
const MAX_HOST: usize = 253;

/// Longest tag, in bytes (OCI distribution 1.1).
const MAX_TAG: usize = 128;

/// Whether the first component of a name is a registry's host, and not a part of a path.
pub(crate) fn is_host(first: &str) -> bool {
    first.contains(['.', ':']) || first.eq_ignore_ascii_case("localhost")
}

/// Checks `HOST[:PORT]`.
pub(crate) fn check_registry(registry: &str) -> Result<(), &'static str> {
    match registry.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest
                .split_once(']')
                .ok_or("\"[\" without \"]\" in the host")?;
            address
                .parse::<std::net::Ipv6Addr>()
                .map_err(|_| "the host in brackets is not an IPv6 address")?;
            match port.strip_prefix(':') {
                Some(port) => check_port(port),
                None if port.is_empty() => Ok(()),
                None => Err("text between \"]\" and \"/\""),
            }
        }
        None => {
            let (host, port) = match registry.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (registry, None),
            };
            port.map_or(Ok(()), check_port)?;
            if host.len() > MAX_HOST {
                return Err("the registry host is longer than 253 bytes");
            }
            match host.split('.').all(is_label) {
                true => Ok(()),
                false => Err("the registry host is not a valid host name"),
            }
        }
    }
}

fn check_port(port: &str) -> Result<(), &'static str> {
    // Nothing may begin it: neither a sign nor a zero, which would be another spelling of the port.
    match port.starts_with(|c| matches!(c, '1'..='9')) && port.parse::<u16>().is_ok() {
        true => Ok(()),
        false => Err("the port must be a number from 1 to 65535"),
    }
}

/// Whether a text is a label of a host name.
fn is_label(label: &str) -> bool {
    !label.is_empty()
        && label.len() <= 63
        && label
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

/// Checks a path: components of `[a-z0-9]+` joined by `.`, `_`, `__` or dashes.
pub(crate) fn check_path(path: &str) -> Result<(), &'static str> {
    if path.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err("the name must be in lower case");
    }
    match path.split('/').all(is_component) {
        true => Ok(()),
        false => Err(
            "each part of the name must be of a-z and 0-9, joined by \".\", \"_\", \"__\" or \"-\"",
        ),
    }
}

fn is_component(component: &str) -> bool {
    let alphanumeric = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let joins = |separator: &str| {
        matches!(separator, "" | "." | "_" | "__") || separator.bytes().all(|byte| byte == b'-')
    };
    component.starts_with(alphanumeric)
        && component.ends_with(alphanumeric)
        && component.split(alphanumeric).all(joins)
}

/// Checks a tag (OCI distribution 1.1, "Pulling manifests").
pub(crate) fn check_tag(tag: &str) -> Result<(), &'static str> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let valid = tag.len() <= MAX_TAG
        && tag.starts_with(word)
        && tag.chars().all(|c| word(c) || matches!(c, '.' | '-'));
    match valid {
        true => Ok(()),
        false => Err(
            "the tag must be 1 to 128 of a-z, A-Z, 0-9, \"_\", \".\" and \"-\", \
             not beginning with \".\" or \"-\"",
        ),
    }
}

/// Takes `NAME[:TAG][@DIGEST]` apart; nothing of it is checked.
pub(crate) fn split(text: &str) -> (&str, Option<&str>, Option<&str>) {
    let (rest, digest) = match text.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest)),
        None => (text, None),
    };
    match rest.rsplit_once(':') {
        // A colon before the last slash belongs to the port.
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag), digest),
        _ => (rest, None, digest),
    }
}
