//! What an overlay is made of.

use pod::selinux::Context;

/// The directories of one overlay, as paths that hold nothing to escape: relative to open descriptors.
#[derive(Debug)]
pub(super) struct Directories {
    /// Topmost first.
    pub(super) lower: Vec<String>,
    /// Above those, where changes of earlier are that no further ones join. It is never on such a mount.
    pub(super) earlier: Option<String>,
    /// Where changes go; nobody can make any if that is nowhere.
    pub(super) changes: Option<Changes>,
    /// Whether the lower ones are on mounts that the calling thread has attached, and so can be opened as they stand.
    pub(super) lower_is_attached: bool,
    /// The label of SELinux that all files have, if not their own.
    pub(super) label: Option<Context>,
}

/// Where changes go.
#[derive(Debug)]
pub(super) struct Changes {
    pub(super) upper: String,
    pub(super) work: String,
    /// Whether they are thrown away at the end: then the kernel need not write them out.
    pub(super) discard: bool,
}

/// Nothing that a layer's extended attributes say may lead outside of it.
pub(super) const HARDENING: [(&str, &str); 3] = [
    ("redirect_dir", "nofollow"),
    ("metacopy", "off"),
    ("index", "off"),
];
