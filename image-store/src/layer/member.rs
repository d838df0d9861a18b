//! One member of a layer, checked: what the rest of the code may rely on.

use crate::origin::Limits;

/// What a member makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Folder,
    Symlink,
    HardLink,
    Fifo,
    /// A character or block device; never made.
    Device,
}

/// One member of a layer.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) path: MemberPath,
    pub(super) kind: Kind,
    /// Permission bits with setuid, setgid and sticky; no type.
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) mtime: Time,
    /// Bytes of a file as a reader sees it, holes included.
    pub(super) size: u64,
    /// Where the stored bytes of a sparse file go; `None` for an ordinary file.
    pub(super) segments: Option<Vec<Segment>>,
    /// Target of a symbolic link, as it is.
    pub(super) target: Vec<u8>,
    /// Target of a hard link.
    pub(super) linked: Option<MemberPath>,
    /// Only those that a layer may set.
    pub(super) xattrs: Vec<(String, Vec<u8>)>,
}

/// Seconds since 1970 and nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Time {
    pub(super) seconds: i64,
    pub(super) nanoseconds: u32,
}

/// A run of stored bytes within a sparse file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) offset: u64,
    pub(super) length: u64,
}

/// A path below the root of the layer: no `..`, no `.`, no empty component, no NUL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MemberPath {
    bytes: Vec<u8>,
    name_start: usize,
}

impl MemberPath {
    /// Takes a name as a layer gives it. A leading `/` means the root of the layer.
    pub(super) fn parse(raw: &[u8], limits: &Limits) -> Result<Self, String> {
        if raw.is_empty() {
            return Err("the name is empty".to_owned());
        }
        if raw.contains(&0) {
            return Err("the name has a NUL byte".to_owned());
        }
        let mut bytes = Vec::with_capacity(raw.len());
        let mut name_start = 0;
        let mut depth = 0;
        for component in raw.split(|byte| *byte == b'/') {
            match component {
                b"" | b"." => continue,
                b".." => return Err("the name has a \"..\" component".to_owned()),
                _ => {}
            }
            if component.len() > 255 {
                return Err("a component of the name is longer than 255 bytes".to_owned());
            }
            depth += 1;
            if depth > limits.depth {
                return Err(format!(
                    "the name has more than {} components",
                    limits.depth
                ));
            }
            if !bytes.is_empty() {
                bytes.push(b'/');
            }
            name_start = bytes.len();
            bytes.extend_from_slice(component);
        }
        // The kernel takes no longer path, not even below a folder.
        if bytes.len() >= 4096 {
            return Err("the name is longer than 4095 bytes".to_owned());
        }
        Ok(Self { bytes, name_start })
    }

    /// Whether it is the root of the layer.
    pub(super) fn is_root(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The last component; empty for the root.
    pub(super) fn name(&self) -> &[u8] {
        self.bytes.get(self.name_start..).unwrap_or_default()
    }

    /// All but the last component; empty for what is in the root.
    pub(super) fn parent(&self) -> &[u8] {
        self.bytes
            .get(..self.name_start.saturating_sub(1))
            .unwrap_or_default()
    }

    pub(super) fn components(&self) -> impl Iterator<Item = &[u8]> {
        self.bytes
            .split(|byte| *byte == b'/')
            .filter(|component| !component.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(raw: &[u8]) -> Result<MemberPath, String> {
        MemberPath::parse(raw, &Limits::default())
    }

    #[test]
    fn names_are_normal_and_below_the_root() {
        let path = parse(b"/usr//./lib/x/").unwrap();
        assert_eq!(path.as_bytes(), b"usr/lib/x");
        assert_eq!((path.parent(), path.name()), (&b"usr/lib"[..], &b"x"[..]));
        let top = parse(b"./x").unwrap();
        assert_eq!((top.parent(), top.name()), (&b""[..], &b"x"[..]));
        assert!(parse(b"./").unwrap().is_root());
    }

    #[test]
    fn names_that_could_lead_out_are_refused() {
        let long = [&b"a"[..]; 300].join(&b'/');
        for bad in [
            &b""[..],
            b"../x",
            b"a/../b",
            b"a/..",
            b"a\0b",
            &[b'a'; 256],
            &long,
        ] {
            assert!(parse(bad).is_err(), "{}", String::from_utf8_lossy(bad));
        }
    }
}
