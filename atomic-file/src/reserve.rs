//! Room for a file that has to be written when there may be none left: taken while there is some.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::{CWD, FallocateFlags, OFlags, RenameFlags, fallocate, renameat_with};
use rustix::io::Errno;

use crate::error::Error;

/// Takes room for so many bytes under the name `staged`, until [`replace_reserved`] needs it. What that name has already
/// stays.
///
/// # Errors
/// The step that failed; nothing is taken then.
pub fn reserve(staged: &Path, mode: u32, length: u64) -> Result<(), Error> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(mode);
    let file = match options.open(staged) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        other => other.map_err(Error::at("create", staged))?,
    };
    take_room(&file, length).map_err(|error| {
        // The error at hand says more than one about the rest.
        let _ = fs::remove_file(staged);
        Error::at("write", staged)(error)
    })
}

fn take_room(mut file: &File, length: u64) -> io::Result<()> {
    match fallocate(file, FallocateFlags::KEEP_SIZE, 0, length) {
        // Where room can't be taken without writing it is written to.
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => {
            let zeros = vec![0; usize::try_from(length).unwrap_or(0)];
            file.write_all(&zeros)
        }
        other => Ok(other?),
    }
}

/// Puts a file with these bytes in the place of `path`, in the room that was taken under the name `staged`, which has to
/// be in the same directory. The room of the file that was in that place, if there was one, is taken from then on. False
/// if no room was taken.
///
/// # Errors
/// The step that failed: the bytes may be more than there is room for. The old file stays then.
pub fn replace_reserved(path: &Path, staged: &Path, bytes: &[u8]) -> Result<bool, Error> {
    let mut options = OpenOptions::new();
    options
        .write(true)
        .custom_flags(OFlags::NOFOLLOW.bits().cast_signed());
    // What is there is written over: cut off first, it would lose its room.
    let mut file = match options.open(staged) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        other => other.map_err(Error::at("open", staged))?,
    };
    file.write_all(bytes)
        .and_then(|()| file.set_len(bytes.len() as u64))
        .map_err(Error::at("write", staged))?;
    let exchanged = renameat_with(CWD, staged, CWD, path, RenameFlags::EXCHANGE);
    match exchanged {
        Ok(()) => Ok(true),
        // There is nothing to exchange it with, or the file system can't do that.
        Err(_) => fs::rename(staged, path)
            .map(|()| true)
            .map_err(Error::at("rename", path)),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn what_was_reserved_is_written_and_what_it_replaces_is_reserved() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let staged = directory.path().join("file.new");
        assert!(!replace_reserved(&path, &staged, b"x").unwrap());
        reserve(&staged, 0o600, 8192).unwrap();
        let room = fs::metadata(&staged).unwrap();
        assert!(room.blocks() * 512 >= 8192);
        reserve(&staged, 0o600, 1 << 40).unwrap();
        assert!(replace_reserved(&path, &staged, b"a longer text").unwrap());
        assert_eq!(fs::read(&path).unwrap(), b"a longer text");
        assert_eq!(fs::metadata(&path).unwrap().ino(), room.ino());
        assert!(!staged.exists());
        reserve(&staged, 0o600, 4096).unwrap();
        assert!(replace_reserved(&path, &staged, b"brief").unwrap());
        assert_eq!(fs::read(&path).unwrap(), b"brief");
        assert_eq!(fs::metadata(&staged).unwrap().ino(), room.ino());
        assert!(replace_reserved(&path, &staged, b"more").unwrap());
        assert_eq!(fs::read(&path).unwrap(), b"more");
    }

    #[test]
    fn what_can_not_be_reserved_is_told_and_nothing_is_left() {
        let directory = tempfile::tempdir().unwrap();
        let staged = directory.path().join("file.new");
        let error = reserve(&staged, 0o600, 1 << 60).unwrap_err();
        assert_eq!((error.step, &error.path), ("write", &staged));
        assert!(!staged.exists());
        let missing = directory.path().join("missing/file.new");
        assert_eq!(reserve(&missing, 0o600, 1).unwrap_err().step, "create");
    }

    #[test]
    fn a_link_in_the_place_of_what_was_reserved_is_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let (path, staged) = (directory.path().join("file"), directory.path().join("new"));
        let elsewhere = directory.path().join("elsewhere");
        fs::write(&elsewhere, "kept").unwrap();
        std::os::unix::fs::symlink(&elsewhere, &staged).unwrap();
        assert_eq!(
            replace_reserved(&path, &staged, b"x").unwrap_err().step,
            "open"
        );
        assert_eq!(fs::read(&elsewhere).unwrap(), b"kept");
    }
}
