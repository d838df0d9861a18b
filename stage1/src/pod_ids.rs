//! The pod's user namespace, for who makes mounts for the pod from outside.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use pod::manifest::UserNamespace;
use rustix::fs::{CWD, Gid, Mode, OFlags, Uid, openat};
use rustix::io::Errno;
use rustix::mount::{OpenTreeFlags, open_tree};

use crate::failure::StartFailure;
use crate::sys::{self, MountChange};

/// The pod's user namespace.
#[derive(Debug)]
pub struct PodIds {
    namespace: OwnedFd,
    ids: UserNamespace,
    root: (Uid, Gid),
}

impl PodIds {
    /// That namespace, which has these users and groups. `None` if root is not among them.
    pub fn new(namespace: OwnedFd, ids: UserNamespace) -> Option<Self> {
        let root = root_of(&ids)?;
        Some(Self {
            namespace,
            ids,
            root,
        })
    }

    /// The user and the group of the host that a user and a group of the pod are, root if nothing is said. `None` if the pod
    /// has no such ones.
    pub(crate) fn owner(&self, uid: Option<u32>, gid: Option<u32>) -> Option<(u32, u32)> {
        let uid = self.ids.host_uid(uid.unwrap_or(0))?;
        let gid = self.ids.host_gid(gid.unwrap_or(0))?;
        Some((uid, gid))
    }

    /// The namespace.
    pub fn namespace(&self) -> BorrowedFd<'_> {
        self.namespace.as_fd()
    }

    /// The user and the group of the host that are the pod's root.
    pub fn root(&self) -> (Uid, Gid) {
        self.root
    }

    /// Maps the owners of files on a mount that is attached to nothing: root of the filesystem is the pod's root there.
    ///
    /// # Errors
    /// EINVAL if a filesystem there can't be mapped.
    pub(crate) fn map(&self, mount: BorrowedFd<'_>, recursive: bool) -> Result<(), Errno> {
        sys::map_mount(mount, self.namespace(), recursive)
    }

    /// A mapped mount of an open directory. `place` names it in messages.
    pub(crate) fn mapped(
        &self,
        directory: BorrowedFd<'_>,
        place: &str,
    ) -> Result<OwnedFd, StartFailure> {
        let what = format!("map the owners of files in {place}");
        match self.copy(directory) {
            Ok(copy) => Ok(copy),
            Err(Errno::INVAL) => Err(StartFailure::other(format!(
                "cannot {what}: {}; --userns=host does without",
                unfit(directory)
            ))),
            Err(errno) => Err(StartFailure::os(what)(errno)),
        }
    }

    /// As [`Self::mapped`], with the system's answer: EINVAL if the filesystem can't be mapped.
    ///
    /// What is mounted there is not seen where the directory is, as it would be if that is on a shared mount.
    pub(crate) fn copy(&self, directory: BorrowedFd<'_>) -> Result<OwnedFd, Errno> {
        let flags = OpenTreeFlags::OPEN_TREE_CLONE
            | OpenTreeFlags::OPEN_TREE_CLOEXEC
            | OpenTreeFlags::AT_EMPTY_PATH;
        let copy = open_tree(directory, c"", flags)?;
        self.map(copy.as_fd(), false)?;
        sys::change_mount(copy.as_fd(), &MountChange::PRIVATE, false)?;
        Ok(copy)
    }
}

/// The user and the group of the host that are root of such a namespace.
pub fn root_of(ids: &UserNamespace) -> Option<(Uid, Gid)> {
    let (user, group) = (ids.host_uid(0)?, ids.host_gid(0)?);
    Some((Uid::from_raw(user), Gid::from_raw(group)))
}

/// Why the owners of files at a path can't be mapped.
pub(crate) fn unfit_at(path: &Path) -> String {
    match openat(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()) {
        Ok(file) => unfit(file.as_fd()),
        Err(_) => "the filesystem there can't do that".to_owned(),
    }
}

/// The same of what is open.
fn unfit(directory: BorrowedFd<'_>) -> String {
    match filesystem_of(directory) {
        Some(name) => format!("the filesystem there, {name}, can't do that"),
        None => "the filesystem there can't do that".to_owned(),
    }
}

/// The type of the filesystem that an open file is on, as `/proc/self/mountinfo` names it.
fn filesystem_of(file: BorrowedFd<'_>) -> Option<String> {
    let own = format!("/proc/self/fdinfo/{}", file.as_raw_fd());
    let own = std::fs::read_to_string(own).ok()?;
    let id = own.lines().find_map(|line| line.strip_prefix("mnt_id:"))?;
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
    type_of(&mounts, id.trim()).map(str::to_owned)
}

/// The type of the mount with this number.
fn type_of<'a>(mountinfo: &'a str, id: &str) -> Option<&'a str> {
    let of_id = |line: &&str| line.split(' ').next() == Some(id);
    let (_, filesystem) = mountinfo.lines().find(of_id)?.split_once(" - ")?;
    filesystem.split(' ').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filesystem_is_named_by_its_type() {
        const MOUNTS: &str = "\
            21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n\
            211 21 0:5 / /srv rw - nfs4 server:/srv rw\n";
        assert_eq!(type_of(MOUNTS, "211"), Some("nfs4"));
        assert_eq!(type_of(MOUNTS, "2"), None);
        let proc = std::fs::File::open("/proc/version").unwrap();
        assert!(unfit(proc.as_fd()).contains(", proc,"));
    }
}
