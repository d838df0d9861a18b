//! What has to be at paths of the host before a pod is made. The monitor looks once more, at what it mounts.

use std::fs::{self, DirBuilder, FileType, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, OpenOptionsExt};

use pod::manifest::HostKind;

use super::spec::HostPath;
use crate::error::{Error, MountError};

/// Makes what is to be made, and refuses what is missing or something else.
///
/// # Errors
/// [`MountError::OtherKind`], [`MountError::NotThere`], or if something can't be made.
pub(super) fn provide(paths: &[HostPath]) -> Result<(), Error> {
    for wanted in paths {
        if wanted.make {
            make(wanted)?;
        }
    }
    require(paths)
}

/// Refuses what is missing, unless it would be made, or something else.
///
/// # Errors
/// [`MountError::OtherKind`], [`MountError::NotThere`].
pub(super) fn require(paths: &[HostPath]) -> Result<(), Error> {
    for HostPath { path, kind, make } in paths {
        let (path, kind) = (path.clone(), *kind);
        match fs::metadata(&path) {
            Ok(found) if is_of(found.file_type(), kind) => {}
            Ok(_) => return Err(MountError::OtherKind { path, kind }.into()),
            Err(error) if error.kind() == ErrorKind::NotFound && *make => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(MountError::NotThere { path, kind }.into());
            }
            Err(source) => return Err(MountError::NoSource { path, source }.into()),
        }
    }
    Ok(())
}

fn make(wanted: &HostPath) -> Result<(), Error> {
    let path = &wanted.path;
    if fs::metadata(path).is_ok() {
        return Ok(());
    }
    let made = match wanted.kind {
        HostKind::Directory => DirBuilder::new().recursive(true).mode(0o755).create(path),
        _ => {
            let mut new = OpenOptions::new();
            new.write(true).create_new(true).mode(0o644);
            new.open(path).map(drop)
        }
    };
    match made {
        // Another command was faster.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        made => made.map_err(Error::io("create", path)),
    }
}

fn is_of(found: FileType, kind: HostKind) -> bool {
    match kind {
        HostKind::Directory => found.is_dir(),
        HostKind::File => found.is_file(),
        HostKind::Socket => found.is_socket(),
        HostKind::CharDevice => found.is_char_device(),
        HostKind::BlockDevice => found.is_block_device(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wanted_is_made_or_compared() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str, kind, make| {
            let path = dir.path().join(name);
            vec![HostPath { path, kind, make }]
        };
        provide(&at("a/b", HostKind::Directory, true)).unwrap();
        provide(&at("a/b", HostKind::Directory, false)).unwrap();
        provide(&at("file", HostKind::File, true)).unwrap();
        let error = provide(&at("file", HostKind::Directory, true)).unwrap_err();
        assert!(
            error.to_string().ends_with("file is not a directory"),
            "{error}"
        );
        let error = provide(&at("none", HostKind::Socket, false)).unwrap_err();
        assert!(error.to_string().contains("a socket is needed"), "{error}");
        require(&at("later", HostKind::File, true)).unwrap();
        assert!(!dir.path().join("later").exists());
        let null = HostPath {
            path: "/dev/null".into(),
            kind: HostKind::CharDevice,
            make: false,
        };
        provide(&[null]).unwrap();
    }
}
