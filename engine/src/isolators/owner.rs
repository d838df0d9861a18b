//! Whose an isolator is. It runs as root before anything confines it, so it is taken only from
//! where nobody could have put it who isn't root already.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::error::{Error, IsolatorError, IsolatorFlaw};

/// Directories within directories of an isolator, at most.
const MAX_DEPTH: usize = 8;
/// Files and directories of an isolator, at most.
const MAX_ENTRIES: usize = 4096;
/// "Others may write", and the bit that keeps them from replacing what isn't theirs.
const OTHERS_WRITE: u32 = 0o002;
const STICKY: u32 = 0o1000;

/// Checks that the isolator in `folder`, with everything in it, is root's and writable by nobody
/// else. What belongs to the owner of this program will do as well: they could have put anything
/// into the program itself.
///
/// # Errors
/// Which file or directory is whose.
pub(super) fn check(folder: &Path) -> Result<(), Error> {
    let mut entries = 0;
    check_tree(folder, folder, 0, &mut entries)
}

/// The same for a directory that a user named: nor may others be able to put another in its place.
///
/// # Errors
/// As [`check`].
pub(super) fn check_with_parents(folder: &Path) -> Result<(), Error> {
    // As it is without links: those could lead elsewhere the next moment.
    let real = std::fs::canonicalize(folder).map_err(Error::io("find", folder))?;
    for parent in real.ancestors().skip(1) {
        let metadata = std::fs::metadata(parent).map_err(Error::io("look at", parent))?;
        check_owner(folder, parent, &metadata)?;
        if metadata.mode() & OTHERS_WRITE != 0 && metadata.mode() & STICKY == 0 {
            return Err(refuse(folder, parent, IsolatorFlaw::Replaceable));
        }
    }
    check(&real)
}

fn check_tree(
    isolator: &Path,
    folder: &Path,
    depth: usize,
    entries: &mut usize,
) -> Result<(), Error> {
    check_one(isolator, folder)?;
    for entry in std::fs::read_dir(folder).map_err(Error::io("read", folder))? {
        let entry = entry.map_err(Error::io("read", folder))?;
        let path = entry.path();
        *entries += 1;
        if depth >= MAX_DEPTH || *entries > MAX_ENTRIES {
            return Err(refuse(isolator, &path, IsolatorFlaw::TooMuch));
        }
        let kind = entry.file_type().map_err(Error::io("look at", &path))?;
        match kind.is_dir() {
            true => check_tree(isolator, &path, depth + 1, entries)?,
            false => check_one(isolator, &path)?,
        }
    }
    Ok(())
}

fn check_one(isolator: &Path, path: &Path) -> Result<(), Error> {
    let metadata = path
        .symlink_metadata()
        .map_err(Error::io("look at", path))?;
    check_owner(isolator, path, &metadata)?;
    if !metadata.is_dir() && !metadata.is_file() {
        return Err(refuse(isolator, path, IsolatorFlaw::Kind));
    }
    if metadata.mode() & 0o022 != 0 {
        return Err(refuse(isolator, path, IsolatorFlaw::Writable));
    }
    Ok(())
}

fn check_owner(isolator: &Path, path: &Path, metadata: &Metadata) -> Result<(), Error> {
    match metadata.uid() {
        0 => Ok(()),
        uid if own_program().is_some_and(|own| own.uid() == uid) => Ok(()),
        uid => Err(refuse(isolator, path, IsolatorFlaw::Owner(uid))),
    }
}

fn own_program() -> Option<Metadata> {
    std::fs::metadata("/proc/self/exe").ok()
}

fn refuse(isolator: &Path, path: &Path, flaw: IsolatorFlaw) -> Error {
    Error::Isolator(IsolatorError::Untrusted {
        isolator: isolator.to_path_buf(),
        path: path.to_path_buf(),
        flaw,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn isolator() -> (tempfile::TempDir, std::path::PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("isolator");
        fs::create_dir_all(folder.join("bin")).unwrap();
        for name in ["stage1.json", "bin/run"] {
            fs::write(folder.join(name), "x").unwrap();
            fs::set_permissions(folder.join(name), Permissions::from_mode(0o755)).unwrap();
        }
        for name in ["", "bin"] {
            fs::set_permissions(folder.join(name), Permissions::from_mode(0o755)).unwrap();
        }
        (dir, folder)
    }

    fn refused(folder: &Path, part: &str) {
        let error = check_with_parents(folder).unwrap_err().to_string();
        assert!(
            error.contains("is refused") && error.contains(part),
            "{error}"
        );
    }

    #[test]
    fn what_others_could_have_written_is_no_isolator() {
        let (_dir, folder) = isolator();
        check_with_parents(&folder).unwrap();
        for (name, mode) in [("bin/run", 0o757), ("stage1.json", 0o664), ("bin", 0o777)] {
            let path = folder.join(name);
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            refused(&folder, name);
            fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        }
        check_with_parents(&folder).unwrap();
    }

    #[test]
    fn folders_that_others_could_replace_are_none_either() {
        let (dir, folder) = isolator();
        fs::set_permissions(dir.path(), Permissions::from_mode(0o777)).unwrap();
        refused(&folder, "everyone may write to it");
        check(&folder).unwrap();
        fs::set_permissions(dir.path(), Permissions::from_mode(0o1777)).unwrap();
        check_with_parents(&folder).unwrap();
    }

    #[test]
    fn links_in_it_are_refused() {
        let (_dir, folder) = isolator();
        symlink("/bin/sh", folder.join("bin/other")).unwrap();
        refused(&folder, "neither a file nor a directory");
    }
}
