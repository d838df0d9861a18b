//! Subordinate IDs of a user: subuid(5) and subgid(5).

use std::fs::OpenOptions;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::fcntl::OFlag;
use pod::id_blocks::IdRange;

use crate::error::{ConfigError, Distrust, Error};

/// Largest file that is read, in bytes.
const FILE_MAX: u64 = 4 << 20;

/// The first ID of a range, and how many there are.
pub(super) type Range = (u32, u32);

/// The ranges that a file gives to a user. One that isn't there gives none.
pub(super) fn of(user: &str, path: &Path) -> Result<Vec<Range>, Error> {
    // Not blocking: a FIFO must not hold up a start.
    let mut open = OpenOptions::new();
    open.read(true).custom_flags(OFlag::O_NONBLOCK.bits());
    let file = match open.open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::io("open", path)(error)),
    };
    let metadata = file.metadata().map_err(Error::io("look at", path))?;
    if !metadata.is_file() {
        return Err(Error::Config(ConfigError::Untrusted {
            path: path.to_path_buf(),
            reason: Distrust::NotRegularFile,
        }));
    }
    let mut text = String::new();
    file.take(FILE_MAX)
        .read_to_string(&mut text)
        .map_err(Error::io("read", path))?;
    Ok(ranges(&text, user))
}

/// Lines are `USER:FIRST:COUNT`; what is no such line is none of a user.
fn ranges(text: &str, user: &str) -> Vec<Range> {
    let of_line = |line: &str| {
        let mut fields = line.trim().split(':');
        let owner = fields.next()?;
        let range = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        (owner == user && fields.next().is_none()).then_some(range)
    };
    text.lines().filter_map(of_line).collect()
}

/// The largest range of IDs that are among the user's and among the group's.
pub(super) fn largest_common(uids: &[Range], gids: &[Range]) -> Option<IdRange> {
    let common = |(first, count): &Range, (other, others): &Range| {
        let from = *first.max(other);
        let end = first
            .saturating_add(*count)
            .min(other.saturating_add(*others));
        IdRange::new(from, end.checked_sub(from)?)
    };
    let pairs = uids
        .iter()
        .flat_map(|uid| gids.iter().map(move |gid| (uid, gid)));
    let ranges = pairs.filter_map(|(uid, gid)| common(uid, gid));
    ranges.max_by_key(IdRange::blocks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_waited_for_who_would_write_into_a_fifo() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("subuid");
        assert!(of("a", &path).unwrap().is_empty());
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRUSR).unwrap();
        let error = of("a", &path).unwrap_err().to_string();
        assert!(error.contains("it is not a regular file"), "{error}");
    }

    #[test]
    fn lines_of_the_user_count() {
        let text =
            "a:100000:65536\nb:165536:65536\na:300000:65536:1\na:x:1\na:400000:131072\n\n#a\n";
        assert_eq!(ranges(text, "a"), [(100_000, 65_536), (400_000, 131_072)]);
        assert!(ranges(text, "c").is_empty());
    }

    #[test]
    fn ids_count_that_are_users_and_groups() {
        let common = largest_common(
            &[(100_000, 65_536), (400_000, 1 << 20)],
            &[(1 << 19, 1 << 19)],
        );
        assert_eq!(common, IdRange::new(1 << 19, 1 << 19));
        assert_eq!(
            largest_common(&[(100_000, 65_536)], &[(200_000, 65_536)]),
            None
        );
        assert_eq!(largest_common(&[(100_000, 65_536)], &[]), None);
        let one = largest_common(&[(100_000, 65_536)], &[(100_000, 65_536)]);
        assert_eq!(one, IdRange::new(100_000, 65_536));
    }
}
