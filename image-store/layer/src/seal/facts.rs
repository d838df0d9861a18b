//! What an inode shows to stat(2).

use rustix::fs::{FileType, Stat};

/// Bytes of facts in a seal.
pub(super) const SIZE: usize = 64;

/// What an inode shows, without the number of its device: that may change with each boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) links: u32,
    pub(super) rdev: u64,
    pub(super) ino: u64,
    pub(super) size: u64,
    pub(super) mtime: (i64, u32),
    pub(super) ctime: (i64, u32),
}

impl Facts {
    // What the kernel gives as signed is never below zero, nanoseconds are below 2^30, and counts of
    // links below 2^32; where a system disagrees, both sides of a comparison are cut the same way.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        trivial_numeric_casts
    )]
    pub(super) fn of(stat: &Stat) -> Self {
        Self {
            mode: stat.st_mode,
            uid: stat.st_uid,
            gid: stat.st_gid,
            links: stat.st_nlink as u32,
            rdev: stat.st_rdev,
            ino: stat.st_ino,
            size: stat.st_size as u64,
            mtime: (stat.st_mtime, stat.st_mtime_nsec as u32),
            ctime: (stat.st_ctime, stat.st_ctime_nsec as u32),
        }
    }

    pub(super) fn kind(&self) -> FileType {
        FileType::from_raw_mode(self.mode)
    }

    pub(super) fn to_bytes(self) -> [u8; SIZE] {
        let mut bytes = [0; SIZE];
        let mut rest = bytes.as_mut_slice();
        let mut put = |field: &[u8]| {
            if let Some((here, after)) = std::mem::take(&mut rest).split_at_mut_checked(field.len())
            {
                here.copy_from_slice(field);
                rest = after;
            }
        };
        for field in [self.mode, self.uid, self.gid, self.links] {
            put(&field.to_le_bytes());
        }
        for field in [self.rdev, self.ino, self.size] {
            put(&field.to_le_bytes());
        }
        put(&self.mtime.0.to_le_bytes());
        put(&self.ctime.0.to_le_bytes());
        put(&self.mtime.1.to_le_bytes());
        put(&self.ctime.1.to_le_bytes());
        bytes
    }

    pub(super) fn from_bytes(bytes: &[u8; SIZE]) -> Self {
        let mut rest = bytes.as_slice();
        fn take<const N: usize>(rest: &mut &[u8]) -> [u8; N] {
            rest.split_first_chunk().map_or([0; N], |(field, after)| {
                *rest = after;
                *field
            })
        }
        let [mode, uid, gid, links] = std::array::from_fn(|_| u32::from_le_bytes(take(&mut rest)));
        let [rdev, ino, size] = std::array::from_fn(|_| u64::from_le_bytes(take(&mut rest)));
        let [written, changed] = std::array::from_fn(|_| i64::from_le_bytes(take(&mut rest)));
        let [after, later] = std::array::from_fn(|_| u32::from_le_bytes(take(&mut rest)));
        Self {
            mode,
            uid,
            gid,
            links,
            rdev,
            ino,
            size,
            mtime: (written, after),
            ctime: (changed, later),
        }
    }

    /// How what is found now differs from what was sealed; `None` if it doesn't.
    pub(super) fn change(&self, now: &Self) -> Option<String> {
        if self == now {
            return None;
        }
        if self.ino != now.ino {
            return Some(match self.shape(now) {
                Some(change) => format!("{REPLACED}: it {change}"),
                None => format!("{REPLACED} by another file"),
            });
        }
        Some(self.shape(now).unwrap_or_else(|| {
            if self.kind() == FileType::Directory && self.mtime != now.mtime {
                FOLDER_TIMES.to_owned()
            } else if self.links != now.links {
                format!("has {} names, and had {}", now.links, self.links)
            } else {
                "was changed since it was unpacked: its change time differs".to_owned()
            }
        }))
    }

    /// As [`Facts::change`] for what a layer itself says: times of directories and whiteouts are those
    /// of the unpacking, and sizes of directories those of the file system.
    pub(super) fn shape(&self, now: &Self) -> Option<String> {
        let (was, is) = (self.kind(), now.kind());
        if was != is {
            return Some(format!("is {}, and was {}", word(is), word(was)));
        }
        if self.mode != now.mode {
            let bits = |mode: u32| mode & 0o7777;
            return Some(format!(
                "has mode {:04o}, and had {:04o}",
                bits(now.mode),
                bits(self.mode)
            ));
        }
        if (self.uid, self.gid) != (now.uid, now.gid) {
            return Some(format!(
                "has owner {}:{}, and had {}:{}",
                now.uid, now.gid, self.uid, self.gid
            ));
        }
        if self.rdev != now.rdev {
            return Some("is a different device".to_owned());
        }
        if matches!(is, FileType::Directory | FileType::CharacterDevice) {
            return None;
        }
        if self.size != now.size {
            return Some(format!("has {} bytes, and had {}", now.size, self.size));
        }
        (self.mtime != now.mtime).then(|| "was written: its modification time differs".to_owned())
    }
}

/// How the change of a name that stands for another inode begins.
pub(super) const REPLACED: &str = "was replaced";
/// The change of a directory that additions and removals within explain.
pub(super) const FOLDER_TIMES: &str = "had something added, removed or renamed in it";

fn word(kind: FileType) -> &'static str {
    match kind {
        FileType::RegularFile => "a file",
        FileType::Directory => "a directory",
        FileType::Symlink => "a symbolic link",
        FileType::Fifo => "a FIFO",
        FileType::CharacterDevice => "a character device",
        FileType::BlockDevice => "a block device",
        FileType::Socket => "a socket",
        FileType::Unknown => "of an unknown type",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn sample() -> Facts {
        Facts {
            mode: 0o100_644,
            uid: 1,
            gid: 70_000,
            links: 2,
            rdev: 3,
            ino: 1 << 40,
            size: 5,
            mtime: (-6, 7),
            ctime: (8, 999_999_999),
        }
    }

    #[test]
    fn facts_are_read_as_they_were_written() {
        assert_eq!(Facts::from_bytes(&sample().to_bytes()), sample());
    }

    #[test]
    fn every_member_counts() {
        let was = sample();
        assert_eq!(was.change(&was), None);
        let changed: [fn(&mut Facts); 10] = [
            |f| f.mode = 0o100_755,
            |f| f.mode = 0o120_644,
            |f| f.uid = 0,
            |f| f.gid = 0,
            |f| f.links = 1,
            |f| f.rdev = 0,
            |f| f.ino = 1,
            |f| f.size = 6,
            |f| f.mtime.1 = 8,
            |f| f.ctime.1 = 0,
        ];
        for change in changed {
            let mut now = was;
            change(&mut now);
            assert!(was.change(&now).is_some(), "{now:?}");
        }
    }

    #[test]
    fn a_change_is_told_in_words() {
        let of_mode = |mode| Facts { mode, ..sample() };
        let directory = of_mode(0o040_755);
        for (was, now, told) in [
            (
                sample(),
                of_mode(0o120_644),
                "is a symbolic link, and was a file",
            ),
            (
                sample(),
                of_mode(0o040_644),
                "is a directory, and was a file",
            ),
            (
                of_mode(0o010_644),
                of_mode(0o140_644),
                "is a socket, and was a FIFO",
            ),
            (
                of_mode(0o020_644),
                of_mode(0o060_644),
                "is a block device, and was a character device",
            ),
            (
                of_mode(0),
                sample(),
                "is a file, and was of an unknown type",
            ),
            (sample(), of_mode(0o104_755), "has mode 4755, and had 0644"),
            (
                sample(),
                Facts { uid: 9, ..sample() },
                "has owner 9:70000, and had 1:70000",
            ),
            (
                sample(),
                Facts { gid: 9, ..sample() },
                "has owner 1:9, and had 1:70000",
            ),
            (
                sample(),
                Facts {
                    rdev: 4,
                    ..sample()
                },
                "is a different device",
            ),
            (
                sample(),
                Facts {
                    size: 6,
                    ..sample()
                },
                "has 6 bytes, and had 5",
            ),
            (
                sample(),
                Facts {
                    mtime: (0, 0),
                    ..sample()
                },
                "was written: its modification time differs",
            ),
            (
                sample(),
                Facts {
                    links: 3,
                    ..sample()
                },
                "has 3 names, and had 2",
            ),
            (
                sample(),
                Facts {
                    ctime: (9, 0),
                    ..sample()
                },
                "was changed since it was unpacked: its change time differs",
            ),
            (
                sample(),
                Facts { ino: 9, ..sample() },
                "was replaced by another file",
            ),
            (
                sample(),
                Facts {
                    ino: 9,
                    size: 6,
                    ..sample()
                },
                "was replaced: it has 6 bytes, and had 5",
            ),
            // What is in a directory changes its size, its time and its count of names.
            (
                directory,
                Facts {
                    size: 9,
                    links: 9,
                    mtime: (0, 0),
                    ..directory
                },
                FOLDER_TIMES,
            ),
            (
                directory,
                Facts {
                    links: 9,
                    ..directory
                },
                "has 9 names, and had 2",
            ),
        ] {
            assert_eq!(was.change(&now).as_deref(), Some(told));
        }
    }

    #[test]
    fn what_only_the_unpacking_says_is_no_change_of_the_layer() {
        let whiteout = Facts {
            mode: 0o020_000,
            ..sample()
        };
        let directory = Facts {
            mode: 0o040_755,
            ..sample()
        };
        for was in [whiteout, directory] {
            let now = Facts {
                size: 9,
                mtime: (0, 0),
                links: 9,
                ino: 9,
                ..was
            };
            assert_eq!(was.shape(&now), None);
        }
        let links_and_changes = Facts {
            links: 9,
            ino: 9,
            ctime: (0, 0),
            ..sample()
        };
        assert_eq!(sample().shape(&links_and_changes), None);
    }
}
