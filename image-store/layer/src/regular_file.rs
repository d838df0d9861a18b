//! Files that somebody else may have put there.

use std::fs::File;
use std::io::{Error, ErrorKind};
use std::path::Path;

use rustix::fs::{Mode, OFlags};

use crate::error::ContentError;

/// How it is opened, whatever it is.
const READ: OFlags = OFlags::RDONLY
    .union(OFlags::NONBLOCK)
    .union(OFlags::CLOEXEC)
    .union(OFlags::NOCTTY);

/// Opens a regular file and gives its length; `None` if there is none. Never waits for the other
/// end of a fifo that somebody put in its place.
///
/// # Errors
/// [`ContentError::NotRegular`]; [`ContentError::Io`] if it can't be opened.
pub fn open_regular(path: &Path) -> Result<Option<(File, u64)>, ContentError> {
    let file = match rustix::fs::open(path, READ, Mode::empty()) {
        Ok(fd) => File::from(fd),
        Err(errno) => {
            let error = Error::from(errno);
            return match error.kind() {
                ErrorKind::NotFound | ErrorKind::NotADirectory => Ok(None),
                _ => Err(ContentError::io("cannot open", path, error)),
            };
        }
    };
    let metadata = file
        .metadata()
        .map_err(|error| ContentError::io("cannot read", path, error))?;
    if !metadata.is_file() {
        return Err(ContentError::NotRegular {
            path: path.to_owned(),
        });
    }
    Ok(Some((file, metadata.len())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_regular_file_is_opened_and_nothing_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("file"), b"12345").unwrap();
        assert_eq!(open_regular(&path("file")).unwrap().unwrap().1, 5);
        assert!(open_regular(&path("none")).unwrap().is_none());
        assert!(open_regular(&path("file/none")).unwrap().is_none());
        let mode = Mode::from_raw_mode(0o600);
        let kind = rustix::fs::FileType::Fifo;
        rustix::fs::mknodat(rustix::fs::CWD, path("fifo"), kind, mode, 0).unwrap();
        for other in [path("fifo"), folder.path().to_owned()] {
            let error = open_regular(&other).unwrap_err();
            assert!(matches!(error, ContentError::NotRegular { .. }), "{error}");
        }
    }
}
