//! Which cgroups a pod has, written down in its runtime directory before they are made: what `gc` removes
//! after a monitor that was killed.

use std::fs;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use pod::PodError;

use super::error::CgroupError;

/// The record's name: one path a line, terminated by a NUL byte instead of a newline.
const RECORD_FILE: &str = "cgroups";

pub(super) fn store<'a>(
    run_dir: &Path,
    folders: impl Iterator<Item = &'a Path>,
) -> Result<(), CgroupError> {
    let path = run_dir.join(RECORD_FILE);
    let mut bytes = Vec::new();
    for folder in folders {
        bytes.extend_from_slice(folder.as_os_str().as_bytes());
        bytes.push(0);
    }
    fs::write(&path, bytes).map_err(PodError::io("write", &path))?;
    Ok(())
}

/// The recorded cgroups. A record that is missing says that none were made; a torn one is as good as
/// missing up to its last whole path, since making them came after writing it.
pub(super) fn load(run_dir: &Path) -> Result<Vec<PathBuf>, CgroupError> {
    let path = run_dir.join(RECORD_FILE);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(CgroupError::io("read", &path)(e)),
    };
    let whole = bytes
        .split_inclusive(|&byte| byte == 0)
        .filter_map(|line| line.strip_suffix(b"\0"));
    let folders = whole.map(|line| PathBuf::from(std::ffi::OsString::from_vec(line.to_vec())));
    // Only what this isolator could have made is ever removed.
    Ok(folders
        .filter(|folder| {
            let name = folder.file_name().and_then(|name| name.to_str());
            folder.is_absolute() && name.is_some_and(|name| name.starts_with("fairing-"))
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip_and_torn_records() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(load(dir.path()).unwrap(), Vec::<PathBuf>::new());
        let folders = [PathBuf::from("/c/fairing-1"), PathBuf::from("/d/fairing-1")];
        store(dir.path(), folders.iter().map(PathBuf::as_path)).unwrap();
        assert_eq!(load(dir.path()).unwrap(), folders);
        fs::write(dir.path().join(RECORD_FILE), b"/c/fairing-1\0/d/fair").unwrap();
        assert_eq!(load(dir.path()).unwrap(), folders[..1]);
        fs::write(dir.path().join(RECORD_FILE), b"/etc\0fairing-x\0").unwrap();
        assert_eq!(load(dir.path()).unwrap(), Vec::<PathBuf>::new());
    }
}
