//! Files that readers find whole: the old one or the new one, never a part of one. Each is written
//! under a name that nobody reads, synced as far as its [`Durability`] says, and renamed.

mod error;
mod reserve;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

pub use self::error::Error;
pub use self::reserve::{replace_reserved, reserve};

/// What of a file is on the disk for good once it has its place. Whatever it is, programs that run
/// find the old file or the new one; this is about a machine that loses power.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Nothing is synced here: the file ends with the machine anyway, or its whole file system was
    /// synced before.
    Visible,
    /// What is in it, before it gets its name: the name never stands for less. The name may be lost
    /// until [`sync_directory`] is called, once for many files.
    Content,
    /// What is in it, and its name.
    Full,
}

/// Writes `bytes` to a new file `staged` of this mode and puts it in the place of `path`. Both have
/// to be in one directory, and `staged` belongs to the caller alone: what has that name is left of
/// one that was killed, and goes. After an error nothing is left of it.
///
/// # Errors
/// The step that failed.
pub fn replace(
    path: &Path,
    staged: &Path,
    mode: u32,
    bytes: &[u8],
    durability: Durability,
) -> Result<(), Error> {
    let mut file = create(staged, mode).map_err(Error::at("create", staged))?;
    let written = file
        .write_all(bytes)
        .map_err(Error::at("write", staged))
        .and_then(|()| match durability {
            Durability::Visible => Ok(()),
            _ => file.sync_all().map_err(Error::at("sync", staged)),
        })
        .and_then(|()| fs::rename(staged, path).map_err(Error::at("rename", path)));
    if written.is_err() {
        // The error at hand says more than one about the rest.
        let _ = fs::remove_file(staged);
    }
    written?;
    sync_name(path, durability)
}

/// Puts `staged`, a file that is written and closed, or a directory, in the place of `path` on the
/// same file system. It stays where it is if that fails.
///
/// # Errors
/// The step that failed.
pub fn publish(staged: &Path, path: &Path, durability: Durability) -> Result<(), Error> {
    if durability != Durability::Visible {
        File::open(staged)
            .and_then(|file| file.sync_all())
            .map_err(Error::at("sync", staged))?;
    }
    fs::rename(staged, path).map_err(Error::at("rename", path))?;
    sync_name(path, durability)
}

/// Brings the names in a directory to the disk: those that came and those that went.
///
/// # Errors
/// If it can't be opened or synced.
pub fn sync_directory(directory: &Path) -> Result<(), Error> {
    File::open(directory)
        .and_then(|open| open.sync_all())
        .map_err(Error::at("sync", directory))
}

fn sync_name(path: &Path, durability: Durability) -> Result<(), Error> {
    match durability {
        Durability::Full => sync_directory(match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        }),
        _ => Ok(()),
    }
}

fn create(staged: &Path, mode: u32) -> io::Result<File> {
    let mut new = OpenOptions::new();
    new.write(true).create_new(true).mode(mode);
    match new.open(staged) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            fs::remove_file(staged)?;
            new.open(staged)
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    const ALL: [Durability; 3] = [Durability::Visible, Durability::Content, Durability::Full];

    fn names(directory: &Path) -> Vec<String> {
        let names = fs::read_dir(directory).unwrap();
        let name = |entry: io::Result<fs::DirEntry>| entry.unwrap().file_name();
        let mut names: Vec<_> = names
            .map(|entry| name(entry).into_string().unwrap())
            .collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn a_file_takes_the_place_of_another_with_the_mode_that_is_asked_for() {
        for durability in ALL {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("file");
            let staged = directory.path().join(".file.new");
            fs::write(&path, "old").unwrap();
            replace(&path, &staged, 0o600, b"new", durability).unwrap();
            assert_eq!(fs::read(&path).unwrap(), b"new");
            let mode = fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
            assert_eq!(names(directory.path()), ["file"]);
        }
    }

    #[test]
    fn what_a_killed_writer_left_is_not_written_into() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let staged = directory.path().join(".file.new");
        let elsewhere = directory.path().join("elsewhere");
        fs::write(&elsewhere, "kept").unwrap();
        symlink(&elsewhere, &staged).unwrap();
        replace(&path, &staged, 0o600, b"new", Durability::Content).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read(&elsewhere).unwrap(), b"kept");
        assert_eq!(names(directory.path()), ["elsewhere", "file"]);
    }

    #[test]
    fn where_a_rename_fails_the_old_stays_and_nothing_new_is_left() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("taken");
        fs::create_dir_all(path.join("by a directory")).unwrap();
        let staged = directory.path().join(".taken.new");
        let error = replace(&path, &staged, 0o600, b"new", Durability::Full).unwrap_err();
        assert_eq!((error.step, &error.path), ("rename", &path));
        assert_eq!(names(directory.path()), ["taken"]);
    }

    #[test]
    fn what_is_staged_elsewhere_is_published_whole_or_stays_there() {
        for durability in ALL {
            let directory = tempfile::tempdir().unwrap();
            let staged = directory.path().join("staged");
            let path = directory.path().join("directory/file");
            fs::write(&staged, "content").unwrap();
            let error = publish(&staged, &path, durability).unwrap_err();
            assert_eq!((error.step, &error.path), ("rename", &path));
            assert_eq!(names(directory.path()), ["staged"]);
            fs::create_dir(directory.path().join("directory")).unwrap();
            publish(&staged, &path, durability).unwrap();
            assert_eq!(fs::read(&path).unwrap(), b"content");
            assert_eq!(names(directory.path()), ["directory"]);
        }
    }

    #[test]
    fn a_directory_that_is_missing_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("missing/file");
        let staged = directory.path().join("missing/.file.new");
        let error = replace(&path, &staged, 0o600, b"", Durability::Visible).unwrap_err();
        assert_eq!((error.step, &error.path), ("create", &staged));
        assert_eq!(error.error.kind(), io::ErrorKind::NotFound);
    }
}
