//! What is in the topmost of several trees only so that something could be mounted on it.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use rustix::fs::{Dir, FileType, Mode, OFlags, ResolveFlags, fstat, openat2};
use rustix::io::Errno;

use super::lookup::resolved;
use super::merged::{io, root};
use super::owners::Tree;
use crate::error::StoreError;

const STRICT: ResolveFlags = ResolveFlags::BENEATH
    .union(ResolveFlags::NO_SYMLINKS)
    .union(ResolveFlags::NO_MAGICLINKS);

/// Of the topmost of these trees, the paths that were made for what is mounted at these places: files that are empty, and
/// directories that hold no others and that none of the trees below has.
///
/// # Errors
/// If something can't be read.
pub fn mount_points<'a>(
    trees: &[Tree],
    places: impl IntoIterator<Item = &'a str>,
) -> Result<BTreeSet<Vec<u8>>, StoreError> {
    let paths: Vec<PathBuf> = trees.iter().map(|tree| tree.path.clone()).collect();
    let Some((top, below)) = paths.split_first() else {
        return Ok(BTreeSet::new());
    };
    let top = root(top)?;
    let mut possible = BTreeSet::new();
    for place in places {
        if let Some(path) = resolved(&paths, place.as_bytes())? {
            possible.extend(prefixes(&path).map(<[u8]>::to_vec));
        }
    }
    let mut made = BTreeSet::new();
    // What is in a directory before the directory, which is a shorter path.
    let mut possible: Vec<_> = possible.into_iter().collect();
    possible.sort_by_key(|path| std::cmp::Reverse(path.len()));
    for path in possible {
        if is_made(&top, below, &path, &made)? {
            made.insert(path);
        }
    }
    Ok(made)
}

/// A path and those of the directories that lead to it, without the root.
fn prefixes(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let ends = path.iter().enumerate();
    let slashes = ends.filter(|(_, byte)| **byte == b'/').map(|(at, _)| at);
    slashes
        .chain([path.len()])
        .filter_map(|end| path.get(..end))
        .filter(|prefix| !prefix.is_empty())
}

fn is_made(
    top: &OwnedFd,
    below: &[PathBuf],
    path: &[u8],
    made: &BTreeSet<Vec<u8>>,
) -> Result<bool, StoreError> {
    let failed = |errno| io(path, errno);
    let open = |flags| {
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        openat2(top, OsStr::from_bytes(path), flags, Mode::empty(), STRICT)
    };
    let file = match open(OFlags::PATH) {
        // The trees below have it alone; of a pod that runs, it may also be gone.
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(false),
        opened => opened.map_err(failed)?,
    };
    let stat = fstat(&file).map_err(failed)?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => return Ok(stat.st_size == 0),
        FileType::Directory => {}
        _ => return Ok(false),
    }
    if resolved(below, path)?.is_some() {
        return Ok(false);
    }
    let directory = match open(OFlags::RDONLY | OFlags::DIRECTORY) {
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(false),
        opened => opened.map_err(failed)?,
    };
    for entry in Dir::read_from(&directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_bytes();
        if !matches!(name, b"." | b"..") && !made.contains(&[path, b"/", name].concat()) {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::Path;

    use super::*;

    fn found(base: &Path, places: &[&str]) -> Vec<String> {
        let trees = ["upper", "lower"].map(|tree| Tree::from(base.join(tree)));
        let made = mount_points(&trees, places.iter().copied()).unwrap();
        let shown = made.iter().map(|path| String::from_utf8_lossy(path));
        shown.map(|path| path.into_owned()).collect()
    }

    #[test]
    fn what_was_made_to_mount_on_is_told_from_what_the_app_made() {
        let base = tempfile::tempdir().unwrap();
        let base = base.path();
        for directory in [
            "upper/srv/data",
            "upper/both/data",
            "upper/used/data",
            "upper/there",
            "upper/run/lock",
            "lower/there",
            "lower/run",
            "lower/var",
        ] {
            fs::create_dir_all(base.join(directory)).unwrap();
        }
        symlink("/run", base.join("lower/var/run")).unwrap();
        fs::write(base.join("upper/both/own"), "").unwrap();
        fs::write(base.join("upper/used/data/own"), "").unwrap();
        fs::write(base.join("upper/file"), "").unwrap();
        fs::write(base.join("upper/full"), "x").unwrap();
        assert_eq!(found(base, &["/srv/data"]), ["srv", "srv/data"]);
        assert_eq!(found(base, &["/both/data/"]), ["both/data"]);
        assert_eq!(found(base, &["//used/./data"]), [""; 0]);
        assert_eq!(found(base, &["/there", "/none", "/"]), [""; 0]);
        assert_eq!(found(base, &["/var/run/lock"]), ["run/lock"]);
        assert_eq!(found(base, &["/file", "/full"]), ["file"]);
        let all = ["/both/data", "/both/own"];
        assert_eq!(found(base, &all), ["both", "both/data", "both/own"]);
    }
}
