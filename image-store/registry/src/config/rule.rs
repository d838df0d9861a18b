//! One `[[registry]]` table, as both formats of files have it.

use std::path::PathBuf;

use image_name::{Location, Prefix};

/// What holds for the names below a prefix.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    pub(crate) prefix: Prefix,
    /// Where the images are, if not where their names say.
    pub(crate) location: Option<Location>,
    /// Under which tag, if the location says one.
    pub(crate) tag: Option<String>,
    pub(crate) security: Security,
    /// Places that are asked before, in this order.
    pub(crate) mirrors: Vec<Mirror>,
    /// Whether nothing may be fetched from there.
    pub(crate) blocked: bool,
    /// The file that says so.
    pub(crate) file: PathBuf,
}

/// A place that has copies.
#[derive(Debug, Clone)]
pub(crate) struct Mirror {
    pub(crate) location: Location,
    /// Under which tag, if the location says one.
    pub(crate) tag: Option<String>,
    pub(crate) security: Security,
    pub(crate) pull: PullFrom,
}

/// For which names a mirror is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum PullFrom {
    #[default]
    All,
    DigestOnly,
    TagOnly,
}

impl PullFrom {
    pub(crate) fn allows(self, by_digest: bool) -> bool {
        match self {
            Self::All => true,
            Self::DigestOnly => by_digest,
            Self::TagOnly => !by_digest,
        }
    }
}

/// How a connection is protected, and how this machine shows who it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Security {
    /// Plain HTTP is spoken, TLS where the port turns out to be one for that.
    pub(crate) plain: bool,
    /// Certificates are not checked, and plain HTTP is spoken where there is no TLS.
    pub(crate) insecure: bool,
    /// Plain HTTP is spoken where there is no TLS.
    pub(crate) falls_back: bool,
    /// Certificates are not checked.
    pub(crate) unverified: bool,
    /// Roots that are trusted besides those of the system.
    pub(crate) ca: Option<PathBuf>,
    /// Certificate chain and private key of this machine.
    pub(crate) client: Option<(PathBuf, PathBuf)>,
}

impl Security {
    /// What both say; where they contradict, `self`.
    pub(crate) fn or(self, other: &Self) -> Self {
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
