//! Removing a pod's folder, whatever its apps left in it.
//!
//! An app can leave folders nested deeper than a process may have descriptors, or a path that is longer
//! than the kernel takes. So nothing here goes by path, and folders beyond a fixed depth are first moved up
//! to the top, where they are removed in their turn.

use std::ffi::{CStr, CString};
use std::fs;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, renameat};
use nix::sys::stat::Mode;
use nix::unistd::{UnlinkatFlags, unlinkat};

use crate::error::PodError;
use crate::lock::LOCK_FILE;
use crate::manifest::MANIFEST_FILE;

/// How many folders deep the removal descends, each for one descriptor.
const DEPTH_MAX: usize = 32;

/// Removes a pod's folder: the manifest after everything it speaks of, so that an interrupted removal
/// can be repeated, and the lock last.
pub(crate) fn remove_pod_folder(path: &Path) -> Result<(), PodError> {
    let failed = |errno| PodError::errno("remove", path)(errno);
    let top = Dir::open(path, DIRECTORY, Mode::empty()).map_err(failed)?;
    let mut removal = Removal {
        top: top.as_fd(),
        moved: 0,
    };
    let keep = |name: &CStr| {
        name.to_bytes() == MANIFEST_FILE.as_bytes() || name.to_bytes() == LOCK_FILE.as_bytes()
    };
    // Each round removes what the one before moved up; the last one finds nothing.
    loop {
        let mut round = Dir::open(path, DIRECTORY, Mode::empty()).map_err(failed)?;
        if !removal.empty(&mut round, 0, &keep).map_err(failed)? {
            break;
        }
    }
    for name in [MANIFEST_FILE, LOCK_FILE] {
        match fs::remove_file(path.join(name)) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                return Err(PodError::io("remove", path.join(name))(e));
            }
            _ => {}
        }
    }
    fs::remove_dir(path).map_err(PodError::io("remove", path))
}

const DIRECTORY: OFlag = OFlag::O_RDONLY
    .union(OFlag::O_DIRECTORY)
    .union(OFlag::O_NOFOLLOW)
    .union(OFlag::O_CLOEXEC);

struct Removal<'a> {
    top: BorrowedFd<'a>,
    moved: u64,
}

impl Removal<'_> {
    /// Removes all in `dir` but what `keep` names. Whether there was anything.
    fn empty(
        &mut self,
        dir: &mut Dir,
        depth: usize,
        keep: &dyn Fn(&CStr) -> bool,
    ) -> Result<bool, Errno> {
        let mut names = Vec::new();
        for entry in dir.iter() {
            let name = entry?.file_name().to_owned();
            if !matches!(name.to_bytes(), b"." | b"..") && !keep(&name) {
                names.push(name);
            }
        }
        let found = !names.is_empty();
        for name in names {
            self.remove(dir.as_fd(), &name, depth)?;
        }
        Ok(found)
    }

    fn remove(&mut self, parent: BorrowedFd<'_>, name: &CStr, depth: usize) -> Result<(), Errno> {
        match unlinkat(parent, name, UnlinkatFlags::NoRemoveDir) {
            Ok(()) | Err(Errno::ENOENT) => return Ok(()),
            Err(Errno::EISDIR) => {}
            Err(errno) => return Err(errno),
        }
        // Most folders of a pod are empty: try before reading.
        match unlinkat(parent, name, UnlinkatFlags::RemoveDir) {
            Ok(()) => return Ok(()),
            Err(Errno::ENOTEMPTY) => {}
            Err(errno) => return Err(errno),
        }
        if depth >= DEPTH_MAX {
            return self.move_up(parent, name);
        }
        let mut dir = Dir::openat(parent, name, DIRECTORY, Mode::empty())?;
        self.empty(&mut dir, depth + 1, &|_| false)?;
        unlinkat(parent, name, UnlinkatFlags::RemoveDir)
    }

    fn move_up(&mut self, parent: BorrowedFd<'_>, name: &CStr) -> Result<(), Errno> {
        loop {
            self.moved += 1;
            let free =
                CString::new(format!(".removed-{}", self.moved)).map_err(|_| Errno::EINVAL)?;
            // Left by an interrupted removal: take the next number.
            match nix::sys::stat::fstatat(self.top, free.as_c_str(), AtFlags::AT_SYMLINK_NOFOLLOW) {
                Err(Errno::ENOENT) => return renameat(parent, name, self.top, free.as_c_str()),
                Ok(_) => {}
                Err(errno) => return Err(errno),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::fcntl::openat;
    use nix::sys::stat::mkdirat;

    #[test]
    fn folders_nested_beyond_every_limit_are_removed() {
        let dir = tempfile::tempdir().unwrap();
        let pod = dir.path().join("pod");
        fs::create_dir_all(&pod).unwrap();
        fs::write(pod.join(MANIFEST_FILE), "{}").unwrap();
        let mut at = openat(nix::fcntl::AT_FDCWD, &pod, DIRECTORY, Mode::empty()).unwrap();
        for _ in 0..3000 {
            mkdirat(&at, "d", Mode::S_IRWXU).unwrap();
            at = openat(&at, "d", DIRECTORY, Mode::empty()).unwrap();
        }
        drop(at);
        remove_pod_folder(&pod).unwrap();
        assert!(!pod.exists());
    }

    #[test]
    fn symbolic_links_are_removed_and_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let outside = dir.path().join("outside");
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("precious"), "x").unwrap();
        let pod = dir.path().join("pod");
        fs::create_dir(&pod).unwrap();
        std::os::unix::fs::symlink(&outside, pod.join("upper")).unwrap();
        remove_pod_folder(&pod).unwrap();
        assert!(outside.join("precious").exists());
    }
}
