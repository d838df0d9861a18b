//! Removing a pod's folder, whatever its apps left in it.
//!
//! An app can leave folders nested deeper than a process may have descriptors, or a path that is longer
//! than the kernel takes. So nothing here goes by path, and folders beyond a fixed depth are first moved up
//! to the top, where they are removed in their turn.

use std::ffi::{CStr, CString};
use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, renameat};
use nix::sys::stat::Mode;
use nix::unistd::{UnlinkatFlags, unlinkat};

use crate::error::PodError;
use crate::layout::MANIFEST_FILE;
use crate::lock::LOCK_FILE;

/// How many folders deep the removal descends, each for one descriptor.
const DEPTH_MAX: usize = 32;
/// How many names of one folder are held in memory at once.
const NAMES_MAX: usize = 1024;
/// How often the removal begins again when others put something into the folder.
const ATTEMPTS_MAX: usize = 8;

/// Removes a pod's folder: the manifest after everything it speaks of, so that an interrupted removal
/// can be repeated, and the lock last.
pub(crate) fn remove_pod_folder(path: &Path) -> Result<(), PodError> {
    let failed = |errno| PodError::errno("remove", path)(errno);
    let top = match Dir::open(path, DIRECTORY, Mode::empty()) {
        // Somebody else was faster.
        Err(Errno::ENOENT) => return Ok(()),
        other => other.map_err(failed)?,
    };
    let mut removal = Removal {
        top: top.as_fd(),
        moved: 0,
    };
    let keep = |name: &CStr| {
        name.to_bytes() == MANIFEST_FILE.as_bytes() || name.to_bytes() == LOCK_FILE.as_bytes()
    };
    for _ in 1..ATTEMPTS_MAX {
        match removal.remove_top(path, &keep) {
            // Somebody else who removes the pod has opened, and so made, a lock file meanwhile.
            Err(PodError::Io { source, .. })
                if source.kind() == io::ErrorKind::DirectoryNotEmpty => {}
            other => return other,
        }
    }
    removal.remove_top(path, &keep)
}

/// Removes everything in a directory, which stays. One that isn't there is empty.
pub(crate) fn empty(path: &Path) -> Result<(), PodError> {
    let failed = |errno| PodError::errno("empty", path)(errno);
    let top = match Dir::open(path, DIRECTORY, Mode::empty()) {
        Err(Errno::ENOENT) => return Ok(()),
        other => other.map_err(failed)?,
    };
    let mut removal = Removal {
        top: top.as_fd(),
        moved: 0,
    };
    loop {
        let mut round = Dir::open(path, DIRECTORY, Mode::empty()).map_err(failed)?;
        if !removal.empty(&mut round, 0, &|_| false).map_err(failed)? {
            return Ok(());
        }
    }
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
    /// Removes the pod's folder once, as others let it.
    fn remove_top(&mut self, path: &Path, keep: &dyn Fn(&CStr) -> bool) -> Result<(), PodError> {
        let failed = |errno| PodError::errno("remove", path)(errno);
        // Each round removes what the one before moved up; the last one finds nothing.
        loop {
            let mut round = match Dir::open(path, DIRECTORY, Mode::empty()) {
                Err(Errno::ENOENT) => return Ok(()),
                other => other.map_err(failed)?,
            };
            if !self.empty(&mut round, 0, keep).map_err(failed)? {
                break;
            }
        }
        for name in [MANIFEST_FILE, LOCK_FILE] {
            let file = path.join(name);
            gone_is_fine(fs::remove_file(&file)).map_err(PodError::io("remove", file))?;
        }
        gone_is_fine(fs::remove_dir(path)).map_err(PodError::io("remove", path))
    }

    /// Removes all in `dir` but what `keep` names. Whether there was anything.
    fn empty(
        &mut self,
        dir: &mut Dir,
        depth: usize,
        keep: &dyn Fn(&CStr) -> bool,
    ) -> Result<bool, Errno> {
        let mut found = false;
        loop {
            let names = some_names(dir, keep)?;
            found |= !names.is_empty();
            for name in &names {
                self.remove(dir.as_fd(), name, depth)?;
            }
            if names.len() < NAMES_MAX {
                return Ok(found);
            }
        }
    }

    fn remove(&mut self, parent: BorrowedFd<'_>, name: &CStr, depth: usize) -> Result<(), Errno> {
        match unlinkat(parent, name, UnlinkatFlags::NoRemoveDir) {
            Ok(()) | Err(Errno::ENOENT) => return Ok(()),
            Err(Errno::EISDIR) => {}
            Err(errno) => return Err(errno),
        }
        // Most folders of a pod are empty: try before reading.
        match unlinkat(parent, name, UnlinkatFlags::RemoveDir) {
            Ok(()) | Err(Errno::ENOENT) => return Ok(()),
            Err(Errno::ENOTEMPTY) => {}
            Err(errno) => return Err(errno),
        }
        if depth >= DEPTH_MAX {
            return self.move_up(parent, name);
        }
        let mut dir = match Dir::openat(parent, name, DIRECTORY, Mode::empty()) {
            Err(Errno::ENOENT) => return Ok(()),
            other => other?,
        };
        self.empty(&mut dir, depth + 1, &|_| false)?;
        match unlinkat(parent, name, UnlinkatFlags::RemoveDir) {
            Err(Errno::ENOENT) => Ok(()),
            other => other,
        }
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

/// The first names in `dir` but those that `keep` names; all if they are fewer than [`NAMES_MAX`].
fn some_names(dir: &mut Dir, keep: &dyn Fn(&CStr) -> bool) -> Result<Vec<CString>, Errno> {
    let mut names = Vec::new();
    for entry in dir.iter() {
        let name = entry?.file_name().to_owned();
        if !matches!(name.to_bytes(), b"." | b"..") && !keep(&name) {
            names.push(name);
            if names.len() == NAMES_MAX {
                break;
            }
        }
    }
    Ok(names)
}

fn gone_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
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

    #[test]
    fn folders_with_more_names_than_are_held_at_once_are_emptied() {
        let dir = tempfile::tempdir().unwrap();
        let pod = dir.path().join("pod");
        let full = pod.join("upper");
        fs::create_dir_all(&full).unwrap();
        for number in 0..2 * NAMES_MAX + 1 {
            fs::write(full.join(number.to_string()), "").unwrap();
            fs::write(pod.join(number.to_string()), "").unwrap();
        }
        remove_pod_folder(&pod).unwrap();
        assert!(!pod.exists());
    }

    #[test]
    fn many_may_remove_one_folder() {
        let dir = tempfile::tempdir().unwrap();
        let pod = dir.path().join("pod");
        for _ in 0..20 {
            fs::create_dir_all(pod.join("a/b")).unwrap();
            for number in 0..100 {
                fs::write(pod.join("a").join(number.to_string()), "").unwrap();
            }
            fs::write(pod.join(LOCK_FILE), "").unwrap();
            std::thread::scope(|scope| {
                let removers = [(); 3].map(|()| scope.spawn(|| remove_pod_folder(&pod)));
                for remover in removers {
                    remover.join().unwrap().unwrap();
                }
            });
            assert!(!pod.exists());
        }
        remove_pod_folder(&pod).unwrap();
    }
}
