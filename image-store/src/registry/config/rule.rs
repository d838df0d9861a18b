//! One `[[registry]]` table, as both formats of files have it.

use std::path::PathBuf;

use image_name::{Location, Prefix};

/// What holds for the names below a prefix.
#[derive(Debug, Clone)]
pub(in crate::registry) struct Rule {
    pub(in crate::registry) prefix: Prefix,
    /// Where the images are, if not where their names say.
    pub(in crate::registry) location: Option<Location>,
    /// Under which tag, if the location says one.
    pub(in crate::registry) tag: Option<String>,
    pub(in crate::registry) security: Security,
    /// Places that are asked before, in this order.
    pub(in crate::registry) mirrors: Vec<Mirror>,
    /// Whether nothing may be fetched from there.
    pub(in crate::registry) blocked: bool,
    /// The file that says so.
    pub(in crate::registry) file: PathBuf,
}

/// A place that has copies.
#[derive(Debug, Clone)]
pub(in crate::registry) struct Mirror {
    pub(in crate::registry) location: Location,
    /// Under which tag, if the location says one.
    pub(in crate::registry) tag: Option<String>,
    pub(in crate::registry) security: Security,
    pub(in crate::registry) pull: PullFrom,
}

/// For which names a mirror is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::registry) enum PullFrom {
    #[default]
    All,
    DigestOnly,
    TagOnly,
}

impl PullFrom {
    pub(in crate::registry) fn allows(self, by_digest: bool) -> bool {
        match self {
            Self::All => true,
            Self::DigestOnly => by_digest,
            Self::TagOnly => !by_digest,
        }
    }
}

/// How a connection is protected, and how this machine shows who it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::registry) struct Security {
    /// Plain HTTP is spoken, TLS where the port turns out to be one for that.
    pub(in crate::registry) plain: bool,
    /// Certificates are not checked, and plain HTTP is spoken where there is no TLS.
    pub(in crate::registry) insecure: bool,
    /// Plain HTTP is spoken where there is no TLS.
    pub(in crate::registry) falls_back: bool,
    /// Certificates are not checked.
    pub(in crate::registry) unverified: bool,
    /// Roots that are trusted besides those of the system.
    pub(in crate::registry) ca: Option<PathBuf>,
    /// Certificate chain and private key of this machine.
    pub(in crate::registry) client: Option<(PathBuf, PathBuf)>,
}

impl Security {
    /// What both say; where they contradict, `self`.
    pub(in crate::registry) fn or(self, other: &Self) -> Self {
        Self {
            plain: self.plain || other.plain,
            insecure: self.insecure || other.insecure,
            falls_back: self.falls_back || other.falls_back,
            unverified: self.unverified || other.unverified,
            ca: self.ca.or_else(|| other.ca.clone()),
            client: self.client.or_else(|| other.client.clone()),
        }
    }
}
