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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;
    use crate::member::{MemberPath, Time};

    fn member(path: &str, kind: Kind) -> Member {
        Member {
            path: MemberPath::parse(path.as_bytes(), &Limits::default()).unwrap(),
            kind,
            mode: 0,
            uid: 0,
            gid: 0,
            mtime: Time::default(),
            size: 0,
            segments: None,
            target: Vec::new(),
            linked: None,
            xattrs: std::collections::BTreeMap::new(),
        }
    }

    #[test]
    fn a_name_tells_what_a_member_hides() {
        for (path, expected) in [
            ("a/b", Ok(Meaning::Plain)),
            ("a/wh.b", Ok(Meaning::Plain)),
            ("a/.wh.b", Ok(Meaning::Whiteout(&b"b"[..]))),
            (".wh...", Err("names nothing")),
            (".wh.", Err("names nothing")),
            (".wh..", Err("names nothing")),
            (".wh...x", Ok(Meaning::Whiteout(&b"..x"[..]))),
            ("a/.wh..wh..opq", Ok(Meaning::Opaque)),
            ("a/.wh..wh.plnk/x", Ok(Meaning::Ignored)),
            ("a/.wh..wh.aufs", Ok(Meaning::Ignored)),
            (".wh.a/b", Err("a directory on its path")),
            (".wh.a/.wh.b", Err("a directory on its path")),
            (".wh..wh..opq/b", Err("a directory on its path")),
        ] {
            let member = member(path, Kind::File);
            let found = meaning(&member);
            match (&found, expected) {
                (Ok(found), Ok(expected)) => assert_eq!(*found, expected, "{path}"),
                (Err(reason), Err(part)) => assert!(reason.contains(part), "{path}: {reason}"),
                (found, expected) => panic!("{path}: {found:?} {expected:?}"),
            }
        }
    }

    #[test]
    fn only_a_file_is_a_whiteout() {
        let of = |kind| meaning(&member(".wh.a", kind)).is_ok();
        assert!(of(Kind::File) && of(Kind::HardLink));
        for kind in [Kind::Folder, Kind::Symlink, Kind::Fifo] {
            assert!(!of(kind), "{kind:?}");
        }
        for (path, names) in [(&b"a/b"[..], false), (b".wh.a/b", true), (b"a/.wh.b", true)] {
            assert_eq!(names_whiteout(path), names);
        }
    }
}
