//! A path by which a pod's network namespace can be reached even when the pod's processes are gone. Only for networks
//! of plugins, whose programs have to be told one.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::mount::{UnmountFlags, mount_bind, unmount};

use crate::error::NetworkError;
use crate::id::ContainerId;
use crate::netns::{self, Netns};
use crate::record::{self, FileError};

#[derive(Debug)]
pub(super) struct NamespaceMount {
    path: PathBuf,
}

pub(super) fn folder(state: &Path) -> PathBuf {
    state.join("netns")
}

impl NamespaceMount {
    pub(super) fn new(state: &Path, container: &ContainerId) -> Self {
        Self {
            path: folder(state).join(container.as_str()),
        }
    }

    /// Mounts the namespace. Where.
    pub(super) fn make(&self, netns: &Netns) -> Result<String, NetworkError> {
        self.remove()?;
        let mut open = OpenOptions::new();
        open.write(true).create_new(true).mode(0o600);
        record::make_way(&self.path, |path| open.open(path))
            .map_err(FileError::io("create", &self.path))?;
        let source = format!("/proc/thread-self/fd/{}", netns.as_fd().as_raw_fd());
        mount_bind(source.as_str(), &self.path).map_err(NetworkError::at(format!(
            "mount the pod's network namespace at {}",
            self.path.display()
        )))?;
        Ok(self.path.display().to_string())
    }

    /// Where it is mounted, if it is: where another mount namespace has the mount, there is but a file here.
    pub(super) fn path_if_there(&self) -> Option<String> {
        netns::is_at(&self.path).then(|| self.path.display().to_string())
    }

    /// Whether there is at least the file over which it was mounted.
    pub(super) fn is_left(&self) -> bool {
        self.path.exists()
    }

    /// Unmounts it, if it is mounted.
    pub(super) fn remove(&self) -> Result<(), NetworkError> {
        let failed = |errno: Errno| FileError::io("unmount", &self.path)(io::Error::from(errno));
        match unmount(&self.path, UnmountFlags::DETACH) {
            // Nothing is mounted, or nothing is there.
            Ok(()) | Err(Errno::INVAL | Errno::NOENT) => (),
            Err(errno) => return Err(failed(errno).into()),
        }
        record::remove(&self.path)?;
        Ok(())
    }
}
