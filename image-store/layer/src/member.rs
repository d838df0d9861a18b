//! One member of a layer, checked: what the rest of the code may rely on.

use std::collections::BTreeMap;

use rustix::fs::{FileType, Stat, Timespec, Timestamps, UTIME_OMIT};

use crate::layer_limit::LayerLimit;
use crate::limits::Limits;

/// Bytes of the longest path that the kernel takes, below a directory or not.
const LONGEST: usize = 4095;

/// What a member makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Folder,
    /// A symbolic link.
    Symlink,
    /// Another name for an earlier member.
    HardLink,
    /// A named pipe.
    Fifo,
    /// A character or block device, or a whiteout in overlayfs' form.
    Device(Device),
}

/// What a device node stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Device {
    /// Whether it is a block device, not a character device.
    pub is_block: bool,
    /// The driver.
    pub major: u32,
    /// The device of the driver.
    pub minor: u32,
}

impl Device {
    /// The device that a file of this status is, if it is one.
    pub fn of(stat: &Stat) -> Option<Self> {
        let is_block = match FileType::from_raw_mode(stat.st_mode) {
            FileType::BlockDevice => true,
            FileType::CharacterDevice => false,
            _ => return None,
        };
        Some(Self {
            is_block,
            major: rustix::fs::major(stat.st_rdev),
            minor: rustix::fs::minor(stat.st_rdev),
        })
    }

    /// Whether it hides what layers below have at its path, as in an upper directory of overlayfs.
    pub fn is_whiteout(self) -> bool {
        (self.is_block, self.major, self.minor) == (false, 0, 0)
    }
}

/// One member of a layer.
#[derive(Debug)]
pub struct Member {
    /// Where it is.
    pub path: MemberPath,
    /// What it makes.
    pub kind: Kind,
    /// Permission bits with setuid, setgid and sticky; no type.
    pub mode: u32,
    /// The owner.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// When it was modified.
    pub mtime: Time,
    /// Bytes of a file as a reader sees it, holes included.
    pub size: u64,
    /// Where the stored bytes of a sparse file go; `None` for an ordinary file.
    pub segments: Option<Vec<Segment>>,
    /// Target of a symbolic link, as it is.
    pub target: Vec<u8>,
    /// Target of a hard link.
    pub linked: Option<MemberPath>,
    /// Only those that a layer may set.
    pub xattrs: BTreeMap<String, Vec<u8>>,
}

/// Seconds since 1970 and nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Time {
    /// Seconds since 1970, rounded down.
    pub seconds: i64,
    /// Nanoseconds beyond those.
    pub nanoseconds: u32,
}

impl Time {
    /// The time of modification that a file has.
    pub fn of(stat: &Stat) -> Self {
        Self {
            seconds: stat.st_mtime,
            nanoseconds: u32::try_from(stat.st_mtime_nsec).unwrap_or_default(),
        }
    }

    /// As a time of modification to be set; that of access stays.
    pub(crate) fn timestamps(self) -> Timestamps {
        Timestamps {
            last_access: Timespec {
                tv_sec: 0,
                tv_nsec: UTIME_OMIT,
            },
            last_modification: Timespec {
                tv_sec: self.seconds,
                tv_nsec: i64::from(self.nanoseconds),
            },
        }
    }
}

/// A run of stored bytes within a sparse file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Where it goes.
    pub offset: u64,
    /// How many bytes it has.
    pub length: u64,
}

/// Why a name is no path of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadPath {
    /// It could lead elsewhere, or nowhere.
    Unsafe(&'static str),
    /// It goes over a limit.
    Over(LayerLimit),
}

/// A path below the root of the layer: no `..`, no `.`, no empty component, no NUL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberPath {
    bytes: Vec<u8>,
    name_start: usize,
}

impl MemberPath {
    /// Takes a name as a layer gives it. A leading `/` means the root of the layer.
    pub(crate) fn parse(raw: &[u8], limits: &Limits) -> Result<Self, BadPath> {
        if raw.is_empty() {
            return Err(BadPath::Unsafe("the name is empty"));
        }
        if raw.contains(&0) {
            return Err(BadPath::Unsafe("the name has a NUL byte"));
        }
        let mut bytes = Vec::with_capacity(raw.len().min(LONGEST));
        let mut name_start = 0;
        let mut depth = 0;
        for component in raw.split(|byte| *byte == b'/') {
            match component {
                b"" | b"." => continue,
                b".." => return Err(BadPath::Unsafe("the name has a \"..\" component")),
                _ => {}
            }
            if component.len() > 255 {
                let reason = "a component of the name is longer than 255 bytes";
                return Err(BadPath::Unsafe(reason));
            }
            depth += 1;
            if depth > limits.depth {
                return Err(BadPath::Over(LayerLimit::Depth));
            }
            if !bytes.is_empty() {
                bytes.push(b'/');
            }
            name_start = bytes.len();
            bytes.extend_from_slice(component);
            if bytes.len() > limits.path {
                return Err(BadPath::Over(LayerLimit::PathLength));
            }
            if bytes.len() > LONGEST {
                return Err(BadPath::Unsafe("the name is longer than 4095 bytes"));
            }
        }
        Ok(Self { bytes, name_start })
    }

    /// Whether it is the root of the layer.
    pub fn is_root(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The path without a leading or trailing `/`.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The last component; empty for the root.
    pub fn name(&self) -> &[u8] {
        self.bytes.get(self.name_start..).unwrap_or_default()
    }

    /// All but the last component; empty for what is in the root.
    pub fn parent(&self) -> &[u8] {
        self.bytes
            .get(..self.name_start.saturating_sub(1))
            .unwrap_or_default()
    }

    /// The names that it is made of.
    pub fn components(&self) -> impl Iterator<Item = &[u8]> {
        self.bytes
            .split(|byte| *byte == b'/')
            .filter(|component| !component.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(raw: &[u8]) -> Result<MemberPath, BadPath> {
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

    #[test]
    fn names_are_taken_up_to_each_limit() {
        let limits = Limits {
            depth: 3,
            path: 10,
            ..Limits::default()
        };
        let within = |raw: &[u8]| MemberPath::parse(raw, &limits).map(|path| path.bytes);
        assert_eq!(within(b"/a/./b//c/").unwrap(), b"a/b/c");
        assert_eq!(within(b"a/b/c/d"), Err(BadPath::Over(LayerLimit::Depth)));
        assert_eq!(within(b"1234567890").unwrap(), b"1234567890");
        let longer = within(b"12345678901");
        assert_eq!(longer, Err(BadPath::Over(LayerLimit::PathLength)));
        let unbounded = Limits {
            depth: 10_000,
            path: 10_000,
            ..Limits::default()
        };
        let of = |length: usize| {
            let mut raw = b"x/".repeat(length / 2 + 1);
            raw.truncate(length);
            MemberPath::parse(&raw, &unbounded).map(|path| path.bytes.len())
        };
        assert_eq!(of(4095), Ok(4095));
        let longest = BadPath::Unsafe("the name is longer than 4095 bytes");
        assert_eq!(of(4097), Err(longest));
        let component = |length| parse(&vec![b'x'; length]);
        assert!(component(255).is_ok() && component(256).is_err());
    }

    #[test]
    fn a_path_is_made_of_names() {
        let names = |raw: &[u8]| {
            let path = parse(raw).unwrap();
            let names = path
                .components()
                .map(|name| String::from_utf8(name.to_vec()).unwrap());
            (names.collect::<Vec<_>>(), path.is_root())
        };
        assert_eq!(
            names(b"a/b//c"),
            (vec!["a".into(), "b".into(), "c".into()], false)
        );
        assert_eq!(names(b"/"), (vec![], true));
        let root = parse(b"/").unwrap();
        assert_eq!((root.name(), root.parent()), (&b""[..], &b""[..]));
    }

    #[test]
    fn one_device_alone_is_a_whiteout() {
        let device = |is_block, major, minor| Device {
            is_block,
            major,
            minor,
        };
        assert!(device(false, 0, 0).is_whiteout());
        for other in [device(true, 0, 0), device(false, 1, 0), device(false, 0, 1)] {
            assert!(!other.is_whiteout());
        }
        let of = |path: &str| Device::of(&rustix::fs::stat(path).unwrap());
        assert_eq!(of("/dev/null"), Some(device(false, 1, 3)));
        assert_eq!(of("/"), None);
    }

    #[test]
    fn a_time_is_set_and_read_as_it_is() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let stat = || rustix::fs::fstat(file.as_file()).unwrap();
        let read_before = (stat().st_atime, stat().st_atime_nsec);
        let time = Time {
            seconds: 1_000_000,
            nanoseconds: 123_000_000,
        };
        rustix::fs::futimens(file.as_file(), &time.timestamps()).unwrap();
        assert_eq!(Time::of(&stat()), time);
        assert_eq!((stat().st_atime, stat().st_atime_nsec), read_before);
    }
}
