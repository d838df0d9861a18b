//! Whiteouts of OCI layers (image-spec: layer.md), told from their names.

use super::member::{Kind, Member};

/// What a member means in overlayfs' terms.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Meaning<'a> {
    /// An ordinary member.
    Plain,
    /// Hides this name of the layers below.
    Whiteout(&'a [u8]),
    /// Hides everything that layers below have in the member's directory.
    Opaque,
    /// Bookkeeping of AUFS, of no meaning here.
    Ignored,
}

const PREFIX: &[u8] = b".wh.";
const META_PREFIX: &[u8] = b".wh..wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";

/// Tells what `member` means.
///
/// # Errors
/// A reason, for names that are no valid whiteouts but would be something else to another reader.
pub(super) fn meaning(member: &Member) -> Result<Meaning<'_>, String> {
    let name = member.path.name();
    let mut above = member
        .path
        .components()
        .filter(|component| component.starts_with(PREFIX));
    let Some(first) = above.next() else {
        return Ok(Meaning::Plain);
    };
    if first.starts_with(META_PREFIX) && first != OPAQUE {
        return Ok(Meaning::Ignored);
    }
    if above.next().is_some() || !name.starts_with(PREFIX) {
        return Err("a directory on its path is named like a whiteout".to_owned());
    }
    // AUFS made whiteouts as hard links to one file.
    if !matches!(member.kind, Kind::File | Kind::HardLink) {
        return Err("a whiteout must be a file".to_owned());
    }
    if name == OPAQUE {
        return Ok(Meaning::Opaque);
    }
    match name.get(PREFIX.len()..).unwrap_or_default() {
        b"" | b"." | b".." => Err("the whiteout names nothing".to_owned()),
        hidden => Ok(Meaning::Whiteout(hidden)),
    }
}

/// Whether a component of `path` is named like a whiteout.
pub(super) fn names_whiteout(path: &[u8]) -> bool {
    path.split(|byte| *byte == b'/')
        .any(|component| component.starts_with(PREFIX))
}
