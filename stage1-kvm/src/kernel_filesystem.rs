//! Filesystems through which the host's kernel is looked into and changed, as far as they would be shared with a machine.
//!
//! Who serves files acts for the machine's root as the host's, since the machine has users of its own. What is a file on a
//! disk is a file of a volume then; what is a word to the host's kernel would be said by the machine.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use pod::AppName;
use pod::manifest::{Mount, MountOption, MountSource, PodManifest, VolumeSource};
use rustix::fs::fstatfs;
use stage1::failure::StartFailure;

const MOUNTINFO: &str = "/proc/self/mountinfo";

/// Their names, each with the number by which statfs(2) tells it; 0 where that is another one's, too.
const ALL: [(&str, u64); 19] = [
    ("binfmt_misc", 0x4249_4e4d),
    ("bpf", 0xcafe_4a11),
    ("cgroup", 0x0027_e0eb),
    ("cgroup2", 0x6367_7270),
    ("configfs", 0x6265_6570),
    ("debugfs", 0x6462_6720),
    ("devpts", 0x1cd1),
    ("devtmpfs", 0),
    ("efivarfs", 0xde5e_81e4),
    ("fusectl", 0x6573_5543),
    ("mqueue", 0x1980_0202),
    ("nsfs", 0x6e73_6673),
    ("proc", 0x9fa0),
    ("pstore", 0x6165_676c),
    ("securityfs", 0x7363_6673),
    ("selinuxfs", 0xf97c_ff8c),
    ("smackfs", 0x4341_5d53),
    ("sysfs", 0x6265_6572),
    ("tracefs", 0x7472_6163),
];

/// Refuses to share one. `made` is the mount of what an app is to have.
///
/// # Errors
/// If it is one, or has one below it.
pub(crate) fn expect_none(
    app: &AppName,
    mount: &Mount,
    manifest: &PodManifest,
    made: &OwnedFd,
) -> Result<(), StartFailure> {
    let Some((path, recursive)) = of_host(mount, manifest) else {
        return Ok(());
    };
    let shown = path.display();
    let looked = StartFailure::os::<io::Error>(format!("look at what is mounted at {shown}"));
    let found = find(path, recursive, made).map_err(looked)?;
    let Some((place, name)) = found else {
        return Ok(());
    };
    let below = match place == path {
        true => String::new(),
        false => format!(
            ", mounted on {}{}",
            place.display(),
            if recursive {
                " (the option `bind` leaves out what is mounted below)"
            } else {
                ""
            }
        ),
    };
    Err(StartFailure::other(format!(
        "app {app} can't have {shown} in a virtual machine: {name} is a filesystem of the host's kernel{below}"
    )))
}

/// The place on the host that is mounted, if it is one that the user names, and whether all that is mounted below comes
/// along.
fn of_host<'a>(mount: &'a Mount, manifest: &'a PodManifest) -> Option<(&'a Path, bool)> {
    let bind = mount.options.contains(&MountOption::Bind);
    match &mount.source {
        MountSource::Host { path } => Some((path, !bind)),
        MountSource::Volume { name, .. } => {
            let volume = manifest
                .volumes
                .iter()
                .find(|volume| volume.name == *name)?;
            match &volume.source {
                VolumeSource::Host {
                    path,
                    non_recursive,
                    ..
                } => {
                    let all = mount.options.contains(&MountOption::Rbind) || !*non_recursive;
                    Some((path, all && !bind))
                }
                _ => None,
            }
        }
        _ => None,
    }
}

fn find(
    path: &Path,
    recursive: bool,
    made: &OwnedFd,
) -> io::Result<Option<(PathBuf, &'static str)>> {
    // However its path looks: a link of proc leads anywhere.
    let kind = u64::try_from(fstatfs(made)?.f_type).unwrap_or_default() & 0xffff_ffff;
    if let Some((name, _)) = ALL.iter().find(|(_, number)| *number == kind) {
        return Ok(Some((path.to_owned(), name)));
    }
    let mounts = fs::read(MOUNTINFO)?;
    let real = fs::canonicalize(path)?;
    Ok(
        among(&mounts, &real, recursive).map(|(place, name)| match real.starts_with(&place) {
            true => (path.to_owned(), name),
            false => (place, name),
        }),
    )
}

/// The first of them that a path is on, or that is mounted below it.
fn among(mounts: &[u8], path: &Path, recursive: bool) -> Option<(PathBuf, &'static str)> {
    let all: Vec<_> = mounts
        .split(|byte| *byte == b'\n')
        .filter_map(parse)
        .collect();
    // The last one on a place hides the others there.
    let covers = |(place, _): &&(PathBuf, &[u8])| path.starts_with(place);
    let covering = all.iter().filter(covers);
    let covering = covering.max_by_key(|(place, _)| place.as_os_str().len());
    let below =
        |(place, _): &&(PathBuf, &[u8])| recursive && place.starts_with(path) && *place != path;
    covering
        .into_iter()
        .chain(all.iter().filter(below))
        .find_map(|(place, kind)| Some((place.clone(), named(kind)?)))
}

fn named(kind: &[u8]) -> Option<&'static str> {
    let found = ALL.iter().find(|(name, _)| name.as_bytes() == kind);
    found.map(|(name, _)| *name)
}

/// The place and the kind of a mount, from its line (proc(5), `/proc/PID/mountinfo`).
fn parse(line: &[u8]) -> Option<(PathBuf, &[u8])> {
    let mut words = line.split(|byte| *byte == b' ');
    let place = words.nth(4)?;
    let kind = words.skip_while(|word| *word != b"-").nth(1)?;
    Some((
        PathBuf::from(std::ffi::OsString::from_vec(unescaped(place))),
        kind,
    ))
}

/// Spaces and their like are written as three octal digits.
fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        let code = after.first_chunk::<3>().filter(|_| *first == b'\\');
        let code = code.and_then(|digits| std::str::from_utf8(digits).ok());
        match code.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                plain.push(byte);
                rest = after.get(3..).unwrap_or_default();
            }
            None => {
                plain.push(*first);
                rest = after;
            }
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &[u8] = b"21 1 8:1 / / rw - ext4 /dev/sda rw\n\
        22 21 0:5 / /dev rw shared:2 - devtmpfs devtmpfs rw\n\
        23 21 0:20 / /proc rw shared:3 master:1 - proc proc rw\n\
        24 21 0:21 / /srv/a\\040b rw - tmpfs none rw\n\
        25 24 0:20 / /srv/a\\040b/p rw - sysfs none rw\n\
        26 21 0:20 / /hidden rw - proc none rw\n\
        27 26 8:1 /x /hidden rw - ext4 /dev/sda rw\n";

    #[test]
    fn a_place_is_told_by_what_it_is_on_and_by_what_is_mounted_below() {
        let found = |path: &str, recursive| {
            let found = among(MOUNTS, Path::new(path), recursive);
            found.map(|(place, name)| (place.display().to_string(), name))
        };
        let at = |place: &str, name| Some((place.to_owned(), name));
        for (path, recursive, expected) in [
            ("/srv", false, None),
            ("/srv", true, at("/srv/a b/p", "sysfs")),
            ("/srv/a b", true, at("/srv/a b/p", "sysfs")),
            ("/srv/a b/p/kernel", false, at("/srv/a b/p", "sysfs")),
            ("/srv/a", true, None),
            ("/proc/sys/kernel", false, at("/proc", "proc")),
            ("/process", true, None),
            ("/dev/shm", false, at("/dev", "devtmpfs")),
            ("/hidden/y", true, None),
            ("/", true, at("/dev", "devtmpfs")),
            ("/", false, None),
        ] {
            assert_eq!(found(path, recursive), expected, "{path} {recursive}");
        }
    }

    #[test]
    fn lines_that_are_none_name_no_place() {
        for line in ["", "1 2", "21 1 8:1 / / rw", "21 1 8:1 / /x rw - "] {
            let named = parse(line.as_bytes()).and_then(|(_, kind)| named(kind));
            assert_eq!(named, None, "{line}");
        }
        assert_eq!(unescaped(b"a\\040b\\134c\\9"), b"a b\\c\\9");
    }
}
