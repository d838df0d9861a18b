//! Reading a containers-policy.json(5) and the key files that it names, where the configuration puts it in
//! place of fairing's own rules.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use trust::{ContainersPolicy, Policy};

use crate::config::ownership;
use crate::error::{Distrust, Error};

/// Largest policy or key file, in bytes.
const FILE_MAX: u64 = 1 << 20;

/// Reads the policy and makes rules of it. A key file that can't be read leaves a rule without that
/// key: what needs it is refused, everything else goes on.
///
/// # Errors
/// [`Error::UntrustedPolicy`] for a file that others than root could have written,
/// [`Error::Io`] if the policy can't be read, [`Error::ContainersPolicy`] for what is none.
pub(super) fn read(path: &Path) -> Result<Policy, Error> {
    let draft =
        ContainersPolicy::parse(&read_file(path)?).map_err(|source| Error::ContainersPolicy {
            path: path.to_path_buf(),
            source,
        })?;
    let mut keys = BTreeMap::new();
    for file in draft.key_files() {
        match read_file(file) {
            Ok(text) => drop(keys.insert(PathBuf::from(file), text)),
            Err(Error::Io { .. }) => {}
            Err(failure) => return Err(failure),
        }
    }
    Ok(draft.into_policy(path, &keys)?)
}

/// Reads a file that root alone could have written. Links are followed, as other tools follow them here;
/// then the directory of what they lead to counts as well.
fn read_file(path: &Path) -> Result<String, Error> {
    let refuse = |reason: Distrust| Error::UntrustedPolicy {
        path: path.to_path_buf(),
        reason,
    };
    let real = path.canonicalize().map_err(Error::io("find", path))?;
    let folder = real.parent().unwrap_or(Path::new("/"));
    let above = folder.metadata().map_err(Error::io("look at", folder))?;
    if let Some(reason) = ownership::distrust(&above) {
        let reason = Box::new(reason);
        return Err(refuse(Distrust::Directory(folder.to_path_buf(), reason)));
    }
    // Not blocking: a FIFO must not hold up a start.
    let file = OpenOptions::new()
        .read(true)
        .custom_flags((OFlag::O_NONBLOCK | OFlag::O_NOFOLLOW).bits())
        .open(&real)
        .map_err(Error::io("open", path))?;
    let metadata = file.metadata().map_err(Error::io("look at", path))?;
    if let Some(reason) = ownership::distrust(&metadata) {
        return Err(refuse(reason));
    }
    if !metadata.is_file() {
        return Err(refuse(Distrust::NotRegularFile));
    }
    let mut bytes = Vec::new();
    file.take(FILE_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(Error::io("read", path))?;
    if bytes.len() as u64 > FILE_MAX {
        return Err(refuse(Distrust::TooLarge(FILE_MAX)));
    }
    String::from_utf8(bytes).map_err(|_| refuse(Distrust::NotText))
}
