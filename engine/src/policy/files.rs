//! Reading the trust policy. The only place that opens its files, and nothing is kept: a change counts at
//! the next start.

use std::ffi::OsStr;
use std::path::Path;

use trust::{Policy, PolicySource, is_policy_file};

use super::containers;
use crate::config::directories::Directories;
use crate::config::files::Config;
use crate::config::root_files::RootFolder;
use crate::error::{Distrust, Error};

/// Name of the directory of policy files within a configuration directory.
const FOLDER: &str = "trust.d";

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
    match open_layer(&directories.local_config)? {
        Some(folder) => folder.read(OsStr::new(name)),
        None => Ok(None),
    }
}

/// Reads the files of one layer, sorted by name; none if there is no directory.
fn read_layer(config: &Path) -> Result<Vec<PolicySource>, Error> {
    let Some(folder) = open_layer(config)? else {
        return Ok(Vec::new());
    };
    let names = folder.names(is_policy_file)?;
    let mut sources = Vec::with_capacity(names.len());
    for name in names {
        // None if it was replaced by a rename between the listing and now: the rename's result is listed too.
        if let Some(text) = folder.read(&name)? {
            let path = folder.path_of(&name);
            sources.push(PolicySource { path, text });
        }
    }
    Ok(sources)
}

/// Opens `trust.d` of a configuration directory, if both are there and root's alone.
fn open_layer(config: &Path) -> Result<Option<RootFolder>, Error> {
    match RootFolder::open(config, refuse)? {
        Some(config) => config.within(FOLDER),
        None => Ok(None),
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
    use std::path::PathBuf;

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
