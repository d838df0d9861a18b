//! Filesystems that several apps mount, or parts of which are mounted, and that are attached nowhere anybody sees.

use std::os::fd::{AsFd, OwnedFd};
use std::thread;

use nix::sched::{CloneFlags, setns, unshare};
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;
use rustix::mount::{MountPropagationFlags, MoveMountFlags, mount_change, move_mount};

use super::attributes::Attributes;
use super::source::{copy_of, within};

/// Where it is attached in a namespace that nobody sees: any directory that is sure to exist.
const PLACE: &str = "/proc";

/// One that is mounted several times.
///
/// The kernel copies no mount that is attached to nothing (before Linux 6.15). So it is attached in a mount namespace of its
/// own, which nobody is in.
#[derive(Debug)]
pub(super) struct UnseenFilesystem {
    namespace: OwnedFd,
}

impl UnseenFilesystem {
    /// That of a mount that is attached to nothing.
    pub(super) fn of(make: impl FnOnce() -> Result<OwnedFd, Errno> + Send) -> Result<Self, Errno> {
        let made = in_thread(|| {
            unshare(CloneFlags::CLONE_FS | CloneFlags::CLONE_NEWNS).map_err(errno)?;
            let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
            mount_change("/", private)?;
            let mount = make()?;
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
    use pod::named_volumes::Ownership;
    use rustix::fs::fstatfs;
    use std::fs::File;
    use std::io::{Write, read_to_string};

    /// Needs root, as all tests that mount something.
    #[test]
    fn what_one_mount_of_it_gets_the_others_have() {
        let before = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        let filesystem = UnseenFilesystem::of(|| {
            crate::mounts::memory::detached(Some(1 << 20), Ownership::default(), None)
        })
        .unwrap();
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
