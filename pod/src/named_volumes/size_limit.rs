//! Limits of what volumes hold, by project quotas of their filesystem (quotactl(2)): each such volume is a project of its own.
//!
//! A project ID is a link in `projects/` below the data directory, which one command makes and no other. It belongs to the
//! volume from before it is made until its files are gone.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use rustix::fs::fstatfs;
use rustix::io::Errno;
use rustix::thread::{CapabilitySet, CapabilitySets, capabilities, set_capabilities};
use serde::{Deserialize, Serialize};

use super::name::NamedVolumeName;
use crate::error::PodError;
use crate::id::PodUuid;
use crate::private_dir;
use crate::sys;

/// The directory of IDs in use, below the data directory.
const PROJECTS: &str = "projects";
/// The IDs that volumes get: far from those of `/etc/projid`, of kubelets and of other stores of containers, which begin at
/// small numbers or at 2^20.
const FIRST: u32 = 1_912_602_624;
const COUNT: u32 = 65_536;

/// The most that a volume holds, as its record has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SizeLimit {
    /// Bytes on the disk. The kernel counts in KiB.
    pub bytes: u64,
    /// The project ID of its files.
    pub project: u32,
}

/// The IDs in use.
#[derive(Debug, Clone)]
pub(super) struct Projects {
    directory: PathBuf,
    /// A directory of the filesystem that has the volumes.
    volumes: PathBuf,
}

impl Projects {
    /// Those of the volumes in that directory.
    pub(super) fn of(volumes: &Path) -> Self {
        Self {
            directory: volumes.with_file_name(PROJECTS),
            volumes: volumes.to_path_buf(),
        }
    }

    fn link(&self, project: u32) -> PathBuf {
        self.directory.join(project.to_string())
    }

    /// Makes an empty directory, and all that will be in it, a project that takes so many bytes at most.
    pub(super) fn limit(
        &self,
        path: &Path,
        name: &NamedVolumeName,
        bytes: u64,
    ) -> Result<SizeLimit, PodError> {
        let directory = File::open(path).map_err(PodError::io("open", path))?;
        if !enforces(&directory).map_err(PodError::errno("look at the quotas of", path))? {
            return Err(PodError::NoProjectQuotas {
                path: self.volumes.clone(),
                filesystem: filesystem_of(&directory),
            });
        }
        let start = PodUuid::random().spread(COUNT);
        for number in (start..COUNT).chain(0..start) {
            let project = FIRST + number;
            if !self.claim(project, name)? {
                continue;
            }
            match give(&directory, project, bytes) {
                Ok(true) => return Ok(SizeLimit { bytes, project }),
                // Somebody else's, who doesn't look here.
                Ok(false) => self.unlink(project)?,
                Err(errno) => {
                    // The failure that led here is the one to tell of.
                    let _ = self.release(project);
                    return Err(PodError::errno("limit the size of", path)(errno));
                }
            }
        }
        Err(PodError::NoProject)
    }

    fn claim(&self, project: u32, name: &NamedVolumeName) -> Result<bool, PodError> {
        let link = self.link(project);
        let made = match symlink(name.as_str(), &link) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                private_dir::make(&self.directory)?;
                symlink(name.as_str(), &link)
            }
            other => other,
        };
        match made {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(PodError::io("create", &link)(error)),
        }
    }

    fn unlink(&self, project: u32) -> Result<(), PodError> {
        let link = self.link(project);
        match fs::remove_file(&link) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other.map_err(PodError::io("remove", &link)),
        }
    }

    /// Gives up the ID of a volume whose files are gone.
    pub(super) fn release(&self, project: u32) -> Result<(), PodError> {
        let volumes = &self.volumes;
        let opened = File::open(volumes).map_err(PodError::io("open", volumes))?;
        match sys::limit_project(opened.as_fd(), project, 0) {
            // Whoever has turned the quotas off has taken the limits away.
            Ok(()) | Err(Errno::SRCH | Errno::NOSYS | Errno::INVAL | Errno::NOENT) => {}
            Err(errno) => return Err(PodError::errno("unlimit a project of", volumes)(errno)),
        }
        self.unlink(project)
    }

    /// Gives up all but these, of volumes that nobody has finished to make or to remove.
    pub(super) fn release_others(&self, used: &BTreeSet<u32>) -> Result<(), PodError> {
        for project in self.claimed()? {
            if !used.contains(&project) {
                self.release(project)?;
            }
        }
        Ok(())
    }

    /// All that are in use.
    pub(super) fn claimed(&self) -> Result<Vec<u32>, PodError> {
        let entries = match fs::read_dir(&self.directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(PodError::io("read", &self.directory))?,
        };
        let mut claimed = Vec::new();
        for entry in entries {
            let name = entry
                .map_err(PodError::io("read", &self.directory))?
                .file_name();
            claimed.extend(name.to_str().and_then(|name| name.parse::<u32>().ok()));
        }
        Ok(claimed)
    }
}

/// The bytes that a project takes.
pub(super) fn used(path: &Path, project: u32) -> Result<u64, PodError> {
    let directory = File::open(path).map_err(PodError::io("open", path))?;
    let usage = sys::project_usage(directory.as_fd(), project)
        .map_err(PodError::errno("look at the quotas of", path))?;
    Ok(usage.map_or(0, |usage| usage.bytes))
}

/// Does something without the capability by which root is held to no limit on some filesystems.
pub(super) fn held_to_limits<T, E: From<PodError>>(
    path: &Path,
    act: impl FnOnce() -> Result<T, E>,
) -> Result<T, E> {
    let failed = || PodError::errno("be held to the limits of", path);
    let own = capabilities(None).map_err(failed())?;
    let set = |effective| {
        let sets = CapabilitySets { effective, ..own };
        set_capabilities(None, sets).map_err(failed())
    };
    set(own.effective - CapabilitySet::SYS_RESOURCE)?;
    let done = act();
    set(own.effective)?;
    done
}

/// Whether the filesystem of a directory holds projects to their limits.
pub fn has_project_quotas(directory: &Path) -> bool {
    File::open(directory).is_ok_and(|directory| enforces(&directory).unwrap_or(false))
}

/// Whether the filesystem holds projects to their limits.
fn enforces(directory: &File) -> Result<bool, Errno> {
    match sys::enforces_projects(directory.as_fd()) {
        // No quotas; none of projects; none now.
        Err(Errno::NOSYS | Errno::INVAL | Errno::SRCH | Errno::NOTSUP | Errno::NOTTY) => Ok(false),
        other => other,
    }
}

/// Makes a directory a project with a limit. False if something has that ID already.
fn give(directory: &File, project: u32, bytes: u64) -> Result<bool, Errno> {
    let usage = sys::project_usage(directory.as_fd(), project)?;
    if usage.is_some_and(|usage| !usage.is_none()) {
        return Ok(false);
    }
    sys::limit_project(directory.as_fd(), project, bytes)?;
    sys::give_project(directory.as_fd(), project)?;
    Ok(true)
}

/// The kind of filesystem that a directory is on, by statfs(2).
fn filesystem_of(directory: &File) -> String {
    const KINDS: [(i64, &str); 6] = [
        (0xef53, "ext4"),
        (0x5846_5342, "XFS"),
        (0x9123_683e, "Btrfs"),
        (0x0102_1994, "tmpfs"),
        (0x794c_7630, "overlayfs"),
        (0x2fc1_2fc1, "ZFS"),
    ];
    let kind = fstatfs(directory).map_or(0, |found| found.f_type);
    match KINDS.iter().find(|(magic, _)| *magic == kind) {
        Some((_, name)) => (*name).to_owned(),
        None => format!("a filesystem of the kind {kind:#x}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn projects() -> (tempfile::TempDir, Projects) {
        let data = tempfile::tempdir().unwrap();
        let volumes = data.path().join("volumes");
        fs::create_dir(&volumes).unwrap();
        (data, Projects::of(&volumes))
    }

    #[test]
    fn an_id_is_one_volumes_until_it_is_given_up() {
        let (_data, projects) = projects();
        let name = |text: &str| text.parse::<NamedVolumeName>().unwrap();
        assert!(projects.claim(FIRST, &name("one")).unwrap());
        assert!(!projects.claim(FIRST, &name("other")).unwrap());
        assert!(projects.claim(FIRST + 1, &name("other")).unwrap());
        fs::write(projects.directory.join("strange"), "").unwrap();
        projects.release_others(&BTreeSet::from([FIRST])).unwrap();
        assert_eq!(projects.claimed().unwrap(), [FIRST]);
        projects.release(FIRST).unwrap();
        projects.release(FIRST).unwrap();
        assert!(projects.claim(FIRST, &name("other")).unwrap());
    }

    #[test]
    fn of_many_at_once_one_gets_an_id() {
        let (_data, projects) = projects();
        let got = std::thread::scope(|scope| {
            let claims: Vec<_> = (0..16)
                .map(|_| scope.spawn(|| projects.claim(FIRST, &"data".parse().unwrap()).unwrap()))
                .collect();
            let got = claims.into_iter().map(|claim| claim.join().unwrap());
            got.filter(|got| *got).count()
        });
        assert_eq!(got, 1);
    }

    #[test]
    fn a_filesystem_without_quotas_is_named() {
        let directory = File::open("/proc").unwrap();
        assert!(!enforces(&directory).unwrap());
        assert_eq!(filesystem_of(&directory), "a filesystem of the kind 0x9fa0");
    }
}
