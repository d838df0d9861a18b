//! `--tmpfs PLACE[:OPTIONS]` as docker and podman have it.

use pod::manifest::{Mount, MountOption, MountSource};

use super::options::{id, mode, option};
use super::place::{destination, plain_mount};
use crate::arguments::quantity::memory_limit;

/// Parses the flag's value.
pub(crate) fn tmpfs(text: &str) -> Result<Mount, String> {
    let (place, words) = text.split_once(':').unwrap_or((text, ""));
    let (mut size, mut bits) = (None, None);
    let (mut uid, mut gid) = (None, None);
    // As elsewhere; whoever has programs there says `exec`.
    let mut options = vec![MountOption::Noexec];
    for word in words.split(',').filter(|word| !word.is_empty()) {
        match word.split_once('=') {
            Some(("size", value)) => size = memory_limit(value)?.value(),
            Some(("mode", value)) => bits = Some(mode(value)?),
            Some((key @ "uid", value)) => uid = Some(id(key, value)?),
            Some((key @ "gid", value)) => gid = Some(id(key, value)?),
            Some((key @ ("nr_inodes" | "nr_blocks" | "huge"), _)) => {
                return Err(format!("{key} is not there yet"));
            }
            Some((key, _)) => {
                return Err(format!(
                    "unknown key `{key}`; there are size, mode, uid and gid"
                ));
            }
            None => options.extend(of_memory(word)?),
        }
    }
    let mode = bits;
    Ok(plain_mount(
        destination(place)?,
        MountSource::Tmpfs {
            size,
            mode,
            uid,
            gid,
        },
        options.into(),
    ))
}

/// An option of memory: nothing of the host is mounted, so that there is no choosing how.
fn of_memory(word: &str) -> Result<Option<MountOption>, String> {
    use MountOption::{Bind, Copy, Idmap, Nocopy, Noidmap, Rbind, Rshared, Rslave};
    match option(word) {
        Ok(Some(Bind | Rbind | Idmap | Noidmap | Copy | Nocopy | Rslave | Rshared)) | Err(_) => {
            Err(format!(
                "unknown option `{word}`; there are size=, mode=, uid=, gid=, ro, rw, [no]suid, [no]dev, [no]exec, noatime and \
             nosymfollow"
            ))
        }
        known => known,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_not_executable_unless_said() {
        let plain = tmpfs("/run").unwrap();
        let none = MountSource::Tmpfs {
            size: None,
            mode: None,
            uid: None,
            gid: None,
        };
        assert_eq!(plain.source, none);
        assert_eq!(plain.options, [MountOption::Noexec]);
        // As without a size.
        assert_eq!(tmpfs("/run:size=0").unwrap().source, plain.source);
        let full = tmpfs("/run:size=64m,mode=755,exec,uid=70,gid=71").unwrap();
        let all = MountSource::Tmpfs {
            size: Some(64 << 20),
            mode: Some(0o755),
            uid: Some(70),
            gid: Some(71),
        };
        assert_eq!(full.source, all);
        assert_eq!(full.options, [MountOption::Noexec, MountOption::Exec]);
    }

    #[test]
    fn what_can_not_be_is_refused_by_name() {
        for (bad, reason) in [
            ("", "must begin with /"),
            ("run", "must begin with /"),
            ("/run:size=x", "a number such as"),
            ("/run:size=1", "less than a page"),
            ("/run:mode=rwx", "octal"),
            ("/run:uid=x", "uid is a number"),
            ("/run:gid=-1", "gid is a number"),
            ("/run:huge=always", "huge is not there yet"),
            ("/run:foo=1", "there are size, mode, uid and gid"),
            ("/run:fast", "unknown option `fast`; there are size="),
            ("/run:bind", "unknown option `bind`; there are size="),
        ] {
            let error = tmpfs(bad).unwrap_err();
            assert!(error.contains(reason), "{bad}: {error}");
        }
    }
}
