//! Filesystems in memory: of one mount, or of a volume that several apps mount.

use std::os::fd::{AsFd, OwnedFd};
use std::thread;

use nix::sched::{CloneFlags, setns, unshare};
use rustix::fs::{CWD, Gid, Mode, OFlags, Uid, openat};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountPropagationFlags, MoveMountFlags,
    fsconfig_create, fsconfig_set_string, fsmount, fsopen, mount_change, move_mount,
};

use super::attributes::Attributes;
use super::source::{copy_of, within};

/// Permission bits of the root of one that nobody gave others, as those of `/tmp`.
const MODE: u32 = 0o1777;
/// Files and directories of one: as many as fit into 64 MiB of the kernel's memory, which no limit of its size counts.
const FILES_MAX: &str = "65536";
/// Where it is attached in a namespace that nobody sees: any directory that is sure to exist.
const PLACE: &str = "/proc";

/// A filesystem in memory that is attached to nothing, of `size` bytes at most. Its root is `owner`'s, if not root's.
pub(super) fn detached(
    size: Option<u64>,
    mode: Option<u32>,
    owner: Option<(Uid, Gid)>,
) -> Result<OwnedFd, Errno> {
    let context = fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    let context = context.as_fd();
    fsconfig_set_string(context, "mode", format!("{:o}", mode.unwrap_or(MODE)))?;
    fsconfig_set_string(context, "nr_inodes", FILES_MAX)?;
    if let Some(size) = size {
        fsconfig_set_string(context, "size", size.to_string())?;
    }
    if let Some((user, group)) = owner {
        fsconfig_set_string(context, "uid", user.as_raw().to_string())?;
        fsconfig_set_string(context, "gid", group.as_raw().to_string())?;
    }
    fsconfig_create(context)?;
    fsmount(
        context,
        FsMountFlags::FSMOUNT_CLOEXEC,
        MountAttrFlags::empty(),
    )
}

/// One that is mounted several times.
///
/// The kernel copies no mount that is attached to nothing (before Linux 6.15). So it is attached in a mount namespace of its
/// own, which nobody is in.
#[derive(Debug)]
pub(super) struct MemoryFilesystem {
    namespace: OwnedFd,
}

impl MemoryFilesystem {
    /// An empty one, of `size` bytes at most, that is `owner`'s.
    pub(super) fn new(size: Option<u64>, owner: Option<(Uid, Gid)>) -> Result<Self, Errno> {
        let made = in_thread(|| {
            unshare(CloneFlags::CLONE_FS | CloneFlags::CLONE_NEWNS).map_err(errno)?;
            let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
            mount_change("/", private)?;
            let mount = detached(size, None, owner)?;
            let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
            let namespace = OFlags::RDONLY | OFlags::CLOEXEC;
            let namespace = openat(CWD, "/proc/thread-self/ns/mnt", namespace, Mode::empty())?;
            move_mount(&mount, c"", CWD, PLACE, flags)?;
            Ok(namespace)
        });
        made.map(|namespace| Self { namespace })
    }

    /// A mount of it, or of a path within it.
    pub(super) fn copy(
        &self,
        sub_path: Option<&str>,
        attributes: &Attributes,
    ) -> Result<OwnedFd, Errno> {
        in_thread(|| {
            unshare(CloneFlags::CLONE_FS).map_err(errno)?;
            setns(&self.namespace, CloneFlags::CLONE_NEWNS).map_err(errno)?;
            let flags = OFlags::PATH | OFlags::CLOEXEC;
            let source = within(openat(CWD, PLACE, flags, Mode::empty())?, sub_path)?;
            copy_of(source.as_fd(), attributes.recursive)
        })
    }
}

fn errno(errno: nix::errno::Errno) -> Errno {
    Errno::from_raw_os_error(errno as i32)
}

/// The mount namespace is that of one thread, which ends at once.
fn in_thread<F>(work: F) -> Result<OwnedFd, Errno>
where
    F: FnOnce() -> Result<OwnedFd, Errno> + Send,
{
    thread::scope(|scope| {
        // A thread whose panic was caught has mounted nothing.
        scope.spawn(work).join().unwrap_or(Err(Errno::CANCELED))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::fstatfs;
    use std::fs::File;
    use std::io::{Write, read_to_string};

    /// Needs root, as all tests that mount something.
    #[test]
    fn what_one_mount_of_it_gets_the_others_have() {
        let before = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        let filesystem = MemoryFilesystem::new(Some(1 << 20), None).unwrap();
        let copy = || filesystem.copy(None, &Attributes::of(&[])).unwrap();
        let (first, second) = (copy(), copy());
        let flags = OFlags::CREATE | OFlags::WRONLY;
        let file = openat(&first, "file", flags, Mode::from_raw_mode(0o600)).unwrap();
        File::from(file).write_all(b"text").unwrap();
        let file = openat(&second, "file", OFlags::RDONLY, Mode::empty()).unwrap();
        assert_eq!(read_to_string(File::from(file)).unwrap(), "text");
        let size = fstatfs(&second).unwrap();
        assert_eq!(
            size.f_blocks * u64::try_from(size.f_bsize).unwrap(),
            1 << 20
        );
        let after = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        assert_eq!(before, after);
    }
}
