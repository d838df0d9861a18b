//! Places of registries, and the prefixes of names that rules are for.

use std::fmt;

use crate::reference::{check_path, check_registry};

/// `HOST[:PORT][/PATH]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::registry) struct Location {
    /// `HOST[:PORT]`, in lower case.
    pub(in crate::registry) registry: String,
    /// The path without a slash at its ends; may be empty.
    pub(in crate::registry) path: String,
}

impl Location {
    pub(in crate::registry) fn parse(text: &str) -> Result<Self, String> {
        let (registry, path) = match text.split_once('/') {
            Some((registry, path)) => (registry, path.trim_end_matches('/')),
            None => (text, ""),
        };
        let refuse = |reason: &str| format!("{text:?} is no HOST[:PORT][/PATH]: {reason}");
        check_registry(registry).map_err(refuse)?;
        if !path.is_empty() {
            check_path(path).map_err(refuse)?;
        }
        Ok(Self {
            registry: registry.to_ascii_lowercase(),
            path: path.to_owned(),
        })
    }

    /// The place of what is called `rest` below here.
    pub(in crate::registry) fn join(&self, rest: &str) -> Self {
        let rest = rest.trim_start_matches('/');
        let path = match (self.path.is_empty(), rest.is_empty()) {
            (_, true) => self.path.clone(),
            (true, false) => rest.to_owned(),
            (false, false) => format!("{}/{rest}", self.path),
        };
        Self {
            registry: self.registry.clone(),
            path,
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.registry)?;
        if self.path.is_empty() {
            return Ok(());
        }
        write!(f, "/{}", self.path)
    }
}

/// What a rule is for: names below a place, or, with `*.` in front, below all its subdomains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::registry) struct Prefix {
    text: String,
    wildcard: bool,
}

impl Prefix {
    pub(in crate::registry) fn parse(text: &str) -> Result<Self, String> {
        let (wildcard, rest) = match text.strip_prefix("*.") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let host = rest.split_once('/').map_or(rest, |(host, _)| host);
        check_registry(host)
            .map_err(|reason| format!("{text:?} is no prefix of image names: {reason}"))?;
        let lower = host.to_ascii_lowercase();
        let path = rest.strip_prefix(host).unwrap_or_default();
        Ok(Self {
            text: format!("{lower}{}", path.trim_end_matches('/')),
            wildcard,
        })
    }

    /// How many bytes of `name` (a reference as canonically written) this prefix covers; `None` if
    /// the name is not below it. Only whole components count, and a tag or digest.
    pub(in crate::registry) fn covers(&self, name: &str) -> Option<usize> {
        let start = if self.wildcard {
            let host = name.split_once('/').map_or(name, |(host, _)| host);
            let own = self.text.split('/').next().unwrap_or_default();
            let start = host.len().checked_sub(own.len())?;
            // At least one label and its dot before.
            if start < 2 || name.as_bytes().get(start - 1) != Some(&b'.') {
                return None;
            }
            start
        } else {
            0
        };
        let rest = name.get(start..)?.strip_prefix(&self.text)?;
        let ends = match rest.bytes().next() {
            None | Some(b'/') => true,
            // Behind a host a colon begins a port: another registry.
            Some(b':' | b'@') => self.text.contains('/'),
            Some(_) => false,
        };
        ends.then_some(start + self.text.len())
    }

    /// What it is as a place; a wildcard is none.
    pub(in crate::registry) fn location(&self) -> Option<Location> {
        (!self.wildcard)
            .then(|| Location::parse(&self.text).ok())
            .flatten()
    }

    /// The longer, the more it decides; among equals one host beats many.
    pub(in crate::registry) fn weight(&self) -> (usize, bool) {
        (self.text.len(), !self.wildcard)
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stars = if self.wildcard { "*." } else { "" };
        write!(f, "{stars}{}", self.text)
    }
}
