//! Reading the trust policy. The only place that opens its files, and nothing is kept: a change counts at
//! the next start.

use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::io::Read;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::Mode;
use trust::{Policy, PolicySource, is_policy_file};

use super::containers;
use crate::config::directories::Directories;
use crate::config::files::Config;
use crate::config::ownership;
use crate::error::{Distrust, Error};

/// Name of the directory of policy files within a configuration directory.
const FOLDER: &str = "trust.d";
/// Largest policy file, in bytes.
const FILE_MAX: u64 = 1 << 20;
/// Most files of one directory.
const FILES_MAX: usize = 4096;

/// Reads the policy that is in force: the rules of `trust.d` or, where the configuration names one, a
/// containers policy in their place. What `trust.d` revokes is revoked either way.
///
/// # Errors
/// [`Error::UntrustedPolicy`] for a file or directory that others than root could have written,
/// [`Error::Policy`] or [`Error::ContainersPolicy`] for what is no policy.
pub fn read(directories: &Directories) -> Result<Policy, Error> {
    read_with(directories, &Config::read(directories)?)
}

/// The same, with this configuration.
///
/// # Errors
/// As [`read`].
pub(super) fn read_with(directories: &Directories, config: &Config) -> Result<Policy, Error> {
    let (system, local) = layers(directories)?;
    let native = Policy::parse(&system, &local)?;
    match config.containers_policy() {
        None => Ok(native),
        Some(path) => {
            let mut policy = containers::read(path)?;
            policy.revoke_as(&native);
            Ok(policy)
        }
    }
}

/// Reads the vendor's files and the local ones.
///
/// # Errors
/// As [`read`].
pub fn layers(directories: &Directories) -> Result<(Vec<PolicySource>, Vec<PolicySource>), Error> {
    let system = read_layer(&directories.system_config)?;
    let local = read_layer(&directories.local_config)?;
    Ok((system, local))
}

/// Reads one file of the local layer, for a change; `None` if it is not there.
///
/// # Errors
/// As [`read`].
pub fn read_local(directories: &Directories, name: &str) -> Result<Option<String>, Error> {
    let Some((folder, path)) = open_layer(&directories.local_config)? else {
        return Ok(None);
    };
    match read_file(&folder, OsStr::new(name), &path.join(name)) {
        Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => Ok(None),
        other => other.map(Some),
    }
}

/// Reads the files of one layer, sorted by name; none if there is no directory.
fn read_layer(config: &Path) -> Result<Vec<PolicySource>, Error> {
    let Some((folder, path)) = open_layer(config)? else {
        return Ok(Vec::new());
    };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&path).map_err(Error::io("read", &path))? {
        let name = entry.map_err(Error::io("read", &path))?.file_name();
        if is_policy_file(&name) {
            names.push(name);
        }
        if names.len() > FILES_MAX {
            return Err(refuse(&path, Distrust::TooMany(FILES_MAX)));
        }
    }
    names.sort_unstable();
    let mut sources = Vec::with_capacity(names.len());
    for name in names {
        let path = path.join(&name);
        match read_file(&folder, &name, &path) {
            Ok(text) => sources.push(PolicySource { path, text }),
            // Replaced by a rename between the listing and now: the rename's result is listed too.
            Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(sources)
}

/// Opens `trust.d` of a configuration directory, if both are there and root's alone.
fn open_layer(config: &Path) -> Result<Option<(File, PathBuf)>, Error> {
    let directory = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let path = config.join(FOLDER);
    let parent: File = match open(config, directory, Mode::empty()) {
        Ok(parent) => parent.into(),
        Err(Errno::ENOENT) => return Ok(None),
        Err(errno) => return Err(Error::errno("open", config)(errno)),
    };
    let folder: File = match openat(
        &parent,
        FOLDER,
        directory | OFlag::O_NOFOLLOW,
        Mode::empty(),
    ) {
        Ok(folder) => folder.into(),
        Err(Errno::ENOENT) => return Ok(None),
        Err(Errno::ELOOP | Errno::ENOTDIR) => {
            return Err(refuse(&path, Distrust::NotDirectory));
        }
        Err(errno) => return Err(Error::errno("open", &path)(errno)),
    };
    // Who may write the directory above could put another one in its place.
    check_owner(&parent, config)?;
    check_owner(&folder, &path)?;
    Ok(Some((folder, path)))
}

fn read_file(folder: &File, name: &OsStr, path: &Path) -> Result<String, Error> {
    // Not blocking: a FIFO must not hold up a start.
    let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let file: File = match openat(folder, name, flags, Mode::empty()) {
        Ok(file) => file.into(),
        Err(Errno::ELOOP) => return Err(refuse(path, Distrust::SymbolicLink)),
        Err(errno) => return Err(Error::errno("open", path)(errno)),
    };
    let metadata = check_owner(&file, path)?;
    if !metadata.is_file() {
        return Err(refuse(path, Distrust::NotRegularFile));
    }
    // One read for the text and one for its end.
    let mut bytes =
        Vec::with_capacity(usize::try_from(metadata.len().min(FILE_MAX)).unwrap_or(0) + 32);
    file.take(FILE_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(Error::io("read", path))?;
    if bytes.len() as u64 > FILE_MAX {
        return Err(refuse(path, Distrust::TooLarge(FILE_MAX)));
    }
    String::from_utf8(bytes).map_err(|_| refuse(path, Distrust::NotText))
}

/// Refuses what somebody else than root could have written.
fn check_owner(file: &File, path: &Path) -> Result<Metadata, Error> {
    let metadata = file.metadata().map_err(Error::io("look at", path))?;
    match ownership::distrust(&metadata) {
        Some(reason) => Err(refuse(path, reason)),
        None => Ok(metadata),
    }
}

fn refuse(path: &Path, reason: Distrust) -> Error {
    Error::UntrustedPolicy {
        path: path.to_path_buf(),
        reason,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};

    const RULE: &str = "[[rule]]\nprefix = \"*\"\ntype = \"reject\"\n";

    fn config() -> (tempfile::TempDir, PathBuf) {
        let root = nix::unistd::geteuid().is_root();
        assert!(root, "what others than root have written is never trusted");
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join(FOLDER);
        fs::create_dir(&folder).unwrap();
        fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
        (dir, folder)
    }

    fn write(path: &Path, mode: u32) {
        fs::write(path, RULE).unwrap();
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn files_are_read_in_order_and_others_ignored() {
        let (dir, folder) = config();
        write(&folder.join("b.toml"), 0o644);
        write(&folder.join("a.toml"), 0o600);
        write(&folder.join("a.toml~"), 0o644);
        write(&folder.join(".c.toml"), 0o644);
        let names: Vec<_> = read_layer(dir.path())
            .unwrap()
            .into_iter()
            .map(|s| s.path.file_name().unwrap().to_owned())
            .collect();
        assert_eq!(names, ["a.toml", "b.toml"]);
    }

    #[test]
    fn missing_folders_hold_nothing() {
        let dir = tempfile::tempdir().unwrap();
        assert!(read_layer(dir.path()).unwrap().is_empty());
        assert!(read_layer(&dir.path().join("none")).unwrap().is_empty());
    }

    #[test]
    fn what_others_could_have_written_is_refused() {
        let refused = |dir: &Path| match read_layer(dir) {
            Err(Error::UntrustedPolicy { reason, .. }) => reason,
            other => panic!("{other:?}"),
        };
        let (dir, folder) = config();
        write(&folder.join("a.toml"), 0o664);
        assert_eq!(refused(dir.path()), Distrust::Writable, "by the group");

        let (dir, folder) = config();
        write(&folder.join("a.toml"), 0o646);
        assert_eq!(refused(dir.path()), Distrust::Writable, "by the world");

        let (dir, folder) = config();
        fs::set_permissions(&folder, Permissions::from_mode(0o777)).unwrap();
        assert_eq!(refused(dir.path()), Distrust::Writable, "the directory");

        let (dir, folder) = config();
        write(&dir.path().join("real"), 0o644);
        symlink(dir.path().join("real"), folder.join("a.toml")).unwrap();
        assert_eq!(refused(dir.path()), Distrust::SymbolicLink);

        let (dir, folder) = config();
        write(&folder.join("a.toml"), 0o644);
        std::os::unix::fs::chown(folder.join("a.toml"), Some(7), None).unwrap();
        assert_eq!(refused(dir.path()), Distrust::Owner(7));

        let (dir, folder) = config();
        fs::create_dir(folder.join("a.toml")).unwrap();
        assert_eq!(refused(dir.path()), Distrust::NotRegularFile);

        let dir = tempfile::tempdir().unwrap();
        symlink("/etc", dir.path().join(FOLDER)).unwrap();
        assert_eq!(refused(dir.path()), Distrust::NotDirectory);
    }
}
