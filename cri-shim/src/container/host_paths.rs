//! Paths of the host that containers mount: what is not there is made, and what mounts are to spread has to be able to.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;

use crate::api::{Mount, MountPropagation};
use crate::error::CriError;

/// What was made for a container on the host. Unless it is kept, it goes again.
#[derive(Debug, Default)]
pub(super) struct Provided {
    /// Directories, each after those in it.
    made: Vec<PathBuf>,
}

impl Provided {
    /// The container is there, and may be started.
    pub(super) fn keep(mut self) {
        self.made.clear();
    }

    fn make(&mut self, path: &Path) -> io::Result<()> {
        match fs::metadata(path) {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let missing = path.ancestors().take_while(|one| !one.exists());
                self.made.splice(0..0, missing.map(Path::to_owned));
                let made = DirBuilder::new().recursive(true).mode(0o755).create(path);
                made.map_err(|made| match made.kind() {
                    // A link to what is not there.
                    ErrorKind::AlreadyExists => error,
                    _ => made,
                })
            }
            Err(error) => Err(error),
        }
    }
}

impl Drop for Provided {
    fn drop(&mut self) {
        for directory in &self.made {
            // One in which there is something by now is somebody else's.
            let _ = fs::remove_dir(directory);
        }
    }
}

/// Provides what the mounts of a request take from the host. A path that is not there becomes a directory, as with other
/// runtimes: pods count on that whose volumes say nothing of it.
///
/// # Errors
/// If one can't be had, or nothing that is mounted there later would be seen where it is to be.
pub(super) fn provide(mounts: &[Mount]) -> Result<Provided, CriError> {
    let mut provided = Provided::default();
    let of_host = mounts.iter().filter(|mount| !mount.host_path.is_empty());
    for mount in of_host {
        let path = Path::new(&mount.host_path);
        let of = |field: &str| format!("config.mounts[{}].{field}", mount.container_path);
        let unusable =
            |error: io::Error| CriError::invalid(of("host_path"), format!("{path:?}: {error}"));
        provided.make(path).map_err(unusable)?;
        let needed = match MountPropagation::try_from(mount.propagation) {
            Ok(MountPropagation::PropagationBidirectional) => Needed::Shared,
            Ok(MountPropagation::PropagationHostToContainer) => Needed::SharedOrSlave,
            _ => continue,
        };
        let spread = spread_of(path).map_err(unusable)?;
        if let Some(reason) = needed.lack(spread) {
            return Err(CriError::invalid(
                of("propagation"),
                format!("{path:?} {reason}"),
            ));
        }
    }
    Ok(provided)
}

/// What a mount of the host has to be, so that others go the way that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Needed {
    Shared,
    SharedOrSlave,
}

/// Where mounts below one are seen, and come from (mount_namespaces(7)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Spread {
    is_shared: bool,
    is_slave: bool,
}

impl Needed {
    /// What is missing, if something is.
    fn lack(self, spread: Spread) -> Option<&'static str> {
        match (self, spread) {
            (
                _,
                Spread {
                    is_shared: true, ..
                },
            ) => None,
            (Self::SharedOrSlave, Spread { is_slave: true, .. }) => None,
            (Self::SharedOrSlave, _) => {
                Some("is on a mount that is neither shared nor a slave: no mounts come from there")
            }
            (Self::Shared, _) => {
                Some("is on a mount that is not shared: the host would see no mounts")
            }
        }
    }
}

fn spread_of(path: &Path) -> io::Result<Spread> {
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(OFlag::O_PATH.bits());
    let source = options.open(path)?;
    let of_descriptor = fs::read_to_string(format!("/proc/self/fdinfo/{}", source.as_raw_fd()))?;
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    let mut lines = of_descriptor.lines();
    let id = lines.find_map(|line| line.strip_prefix("mnt_id:"));
    Ok(id.map_or_else(Spread::default, |id| spread(&mounts, id.trim())))
}

/// What the optional fields of the mount of this number say, proc(5).
fn spread(mountinfo: &str, id: &str) -> Spread {
    let is_it = |line: &&str| line.split(' ').next() == Some(id);
    let line = mountinfo.lines().find(is_it).unwrap_or_default();
    let (mount, _) = line.split_once(" - ").unwrap_or_default();
    let has = |key: &str| {
        let mut optional = mount.split(' ').skip(6);
        optional.any(|field| field.starts_with(key))
    };
    Spread {
        is_shared: has("shared:"),
        is_slave: has("master:"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_go_ways_that_are_open() {
        const MOUNTS: &str = "\
            21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n\
            22 21 0:5 / /shared:x rw - tmpfs none rw,master:3\n\
            23 21 0:6 / /a rw master:2 - tmpfs none rw,shared:9\n";
        let lacks = |id: &str| {
            let spread = spread(MOUNTS, id);
            let lack = |needed: Needed| needed.lack(spread).is_some();
            (lack(Needed::Shared), lack(Needed::SharedOrSlave))
        };
        assert_eq!(lacks("21"), (false, false));
        assert_eq!(lacks("22"), (true, true));
        assert_eq!(lacks("23"), (true, false));
        assert_eq!(lacks("9"), (true, true));
    }

    #[test]
    fn what_is_not_there_becomes_a_directory_and_a_link_to_nothing_stays_one() {
        let dir = tempfile::tempdir().unwrap();
        let mount = |name: &str| {
            let path = dir.path().join(name);
            let mount = Mount {
                container_path: "/x".to_owned(),
                host_path: path.display().to_string(),
                ..Mount::default()
            };
            (path, mount)
        };
        let (path, wanted) = mount("a/b");
        let provided = provide(&[Mount::default(), wanted.clone()]).unwrap();
        assert!(path.is_dir());
        // What comes to nothing leaves nothing, and takes away nothing of others.
        drop(provided);
        assert!(!dir.path().join("a").exists());
        provide(std::slice::from_ref(&wanted)).unwrap().keep();
        drop(provide(&[wanted]).unwrap());
        assert!(path.is_dir());
        let (path, wanted) = mount("link");
        std::os::unix::fs::symlink("nothing", &path).unwrap();
        let refused = provide(&[wanted]).unwrap_err().to_string();
        assert!(refused.contains("No such file"), "{refused}");
        let (path, wanted) = mount("file/below");
        fs::write(path.parent().unwrap(), "").unwrap();
        let refused = provide(&[wanted]).unwrap_err().to_string();
        assert!(
            refused.starts_with("config.mounts[/x].host_path: "),
            "{refused}"
        );
    }
}
