//! Prefixes: which names a rule is for.

use std::fmt;
use std::str::FromStr;

use crate::error::NameError;
use crate::grammar::check_registry;
use crate::location::Location;
use crate::named::Named;
use crate::repository::{Repository, check};

/// Which names a rule is for, be it a rule of trust, settings of a registry or credentials.
///
/// `a.io/foo` covers `a.io/foo` and `a.io/foo/x`, never `a.io/foobar`; `a.io` covers neither
/// `a.io:5000/x` nor `a.io.evil.net/x`: only whole components count.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Prefix {
    text: String,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Kind {
    /// `*`: all names.
    Everything,
    /// `*.DOMAIN[/PATH]`: names on the hosts of a domain, with this port or, as it says, with any.
    Domain { any_port: bool },
    /// `HOST[:PORT][/PATH]`: names at and below a place.
    Place,
    /// `HOST[:PORT]/PATH:TAG` or `HOST[:PORT]/PATH@DIGEST`: one image.
    Image,
}

/// How specific a prefix is: of several that cover one name, the greatest decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Specificity {
    /// Bytes of the name that it fixes.
    fixed: usize,
    /// One host beats many.
    one_host: bool,
}

impl Prefix {
    /// Parses the prefix of a rule of trust: `*`, `HOST[:PORT]` or `HOST[:PORT]/PATH`, as canonical as
    /// a [`Repository`].
    ///
    /// # Errors
    /// [`NameError::Prefix`] for everything that could never match, such as a name without a host, one
    /// in upper case, with a scheme, a tag, a digest or a slash at its end.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        if text != "*" {
            check(text).map_err(|reason| NameError::prefix(text, reason))?;
        }
        Ok(Self::of(text.to_owned(), true))
    }

    /// A scope of a containers-policy.json(5). Beside prefixes these are domains (`*.example.com`,
    /// whatever the port) and single images; an empty one is for everything. Any text is one: what is
    /// no name covers none.
    #[must_use]
    pub fn scope(text: &str) -> Self {
        Self::of(if text.is_empty() { "*" } else { text }.to_owned(), true)
    }

    /// Parses the prefix of a registry's settings, as containers-registries.conf(5) has them: a place,
    /// `*.` and a place, or a single image. The host is taken in any case.
    ///
    /// # Errors
    /// [`NameError::RegistryPrefix`].
    pub fn of_registry(text: &str) -> Result<Self, NameError> {
        let rest = text.strip_prefix("*.").unwrap_or(text);
        let host = rest.split_once('/').map_or(rest, |(host, _)| host);
        check_registry(host).map_err(|reason| NameError::registry_prefix(text, reason))?;
        let path = rest.strip_prefix(host).unwrap_or_default();
        let stars = text.strip_suffix(rest).unwrap_or_default();
        let lower = host.to_ascii_lowercase();
        let text = format!("{stars}{lower}{}", path.trim_end_matches('/'));
        Ok(Self::of(text, false))
    }

    fn of(text: String, any_port: bool) -> Self {
        let path = text.split_once('/').map(|(_, path)| path);
        let kind = match text.as_str() {
            "*" => Kind::Everything,
            text if text.starts_with("*.") => Kind::Domain { any_port },
            _ if path.is_some_and(|path| path.contains([':', '@'])) => Kind::Image,
            _ => Kind::Place,
        };
        Self { text, kind }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether this is `*`.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.kind == Kind::Everything
    }

    /// Whether it covers a name.
    #[must_use]
    pub fn covers<'n>(&self, name: impl Into<Named<'n>>) -> bool {
        self.rest(name).is_some()
    }

    /// What of a name's place is behind what this prefix covers; `None` if it doesn't cover the name.
    #[must_use]
    pub fn rest<'n>(&self, name: impl Into<Named<'n>>) -> Option<&'n str> {
        let Named { place, tag, digest } = name.into();
        let text = self.text.as_str();
        match self.kind {
            Kind::Everything => Some(place),
            Kind::Place => below(place, text),
            Kind::Domain { any_port } => {
                let (domain, path) = text.split_at(text.find('/').unwrap_or(text.len()));
                let (host, rest) = place.split_at(place.find('/').unwrap_or(place.len()));
                let without_port = match any_port {
                    true => host.split(':').next().unwrap_or_default(),
                    false => host,
                };
                let domain = domain.strip_prefix('*').unwrap_or(domain);
                // At least one label in front of the dot.
                let label = without_port.strip_suffix(domain)?;
                // Where any port will do it is a scope, and of these none has a path.
                let fits = !any_port || path.is_empty();
                (fits && !label.is_empty())
                    .then(|| below(rest, path))
                    .flatten()
            }
            Kind::Image => {
                let version = text.strip_prefix(place)?;
                let is_it = match (digest, tag) {
                    (Some(digest), _) => version.strip_prefix('@') == Some(digest.as_str()),
                    (None, Some(tag)) => version.strip_prefix(':') == Some(tag),
                    (None, None) => false,
                };
                is_it.then_some("")
            }
        }
    }

    /// How specific it is.
    #[must_use]
    pub fn specificity(&self) -> Specificity {
        let (fixed, one_host) = match self.kind {
            Kind::Everything => (0, false),
            Kind::Domain { .. } => (self.text.len().saturating_sub("*.".len()), false),
            Kind::Place | Kind::Image => (self.text.len(), true),
        };
        Specificity { fixed, one_host }
    }

    /// What it is as a place, where it is one.
    #[must_use]
    pub fn location(&self) -> Option<Location> {
        match self.kind {
            Kind::Place => Location::parse(&self.text).ok(),
            Kind::Everything | Kind::Domain { .. } | Kind::Image => None,
        }
    }
}

/// What of `place` is behind `front`, which ends where a component does.
fn below<'n>(place: &'n str, front: &str) -> Option<&'n str> {
    place
        .strip_prefix(front)
        .filter(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl From<&Repository> for Prefix {
    /// The narrowest prefix that covers a repository.
    fn from(repository: &Repository) -> Self {
        Self {
            text: repository.to_string(),
            kind: Kind::Place,
        }
    }
}

impl From<&Location> for Prefix {
    /// What is at and below a place.
    fn from(location: &Location) -> Self {
        Self {
            text: location.to_string(),
            kind: Kind::Place,
        }
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl FromStr for Prefix {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::parse(text)
    }
}

crate::error::serde_as_text!(Prefix);

#[cfg(test)]
mod tests;
