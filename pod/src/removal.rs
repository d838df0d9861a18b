//! Removing a pod's directory, whatever its apps left in it.
//!
//! An app can leave directories nested deeper than a process may have descriptors, or a path that is longer
//! than the kernel takes. So nothing here goes by path, and directories beyond a fixed depth are first moved up
//! to the top, where they are removed in their turn.

use std::ffi::{CStr, CString};
use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Dir, Mode, OFlags, openat, renameat, statat, unlinkat};
use rustix::io::Errno;

use crate::error::PodError;
use crate::layout::MANIFEST_FILE;
use crate::lock::LOCK_FILE;

/// How many directories deep the removal descends, each for one descriptor.
const DEPTH_MAX: usize = 32;
/// How many names of one directory are held in memory at once.
const NAMES_MAX: usize = 1024;
/// How often the removal of a directory begins again when others put something into it.
const ATTEMPTS_MAX: usize = 8;

/// Removes a pod's directory: the manifest after everything it speaks of, so that an interrupted removal
/// can be repeated, and the lock last.
pub(crate) fn remove_pod_dir(path: &Path) -> Result<(), PodError> {
    let keep = |name: &CStr| {
        name.to_bytes() == MANIFEST_FILE.as_bytes() || name.to_bytes() == LOCK_FILE.as_bytes()
    };
    // Somebody else who removes the pod may open, and so make, a lock file meanwhile.
    let is_refilled =
        |error: &PodError| matches!(error, PodError::Io { source, .. } if is_not_empty(source));
    repeatedly(is_refilled, || remove_once(path, &keep))
}

/// Tries what fails because others put something into a directory again, but not for ever.
fn repeatedly<E>(
    is_refilled: impl Fn(&E) -> bool,
    mut remove: impl FnMut() -> Result<(), E>,
) -> Result<(), E> {
    for _ in 1..ATTEMPTS_MAX {
        match remove() {
            Err(error) if is_refilled(&error) => {}
            other => return other,
        }
    }
    remove()
}

/// Removes a pod's directory once, as others let it.
fn remove_once(path: &Path, keep: &dyn Fn(&CStr) -> bool) -> Result<(), PodError> {
    empty_but(path, keep).map_err(PodError::errno("remove", path))?;
    for name in [MANIFEST_FILE, LOCK_FILE] {
        let file = path.join(name);
        gone_is_fine(fs::remove_file(&file)).map_err(PodError::io("remove", file))?;
    }
    gone_is_fine(fs::remove_dir(path)).map_err(PodError::io("remove", path))
}

/// Removes everything in a directory, which stays. One that isn't there is empty.
pub(crate) fn empty(path: &Path) -> Result<(), PodError> {
    empty_but(path, &|_| false).map_err(PodError::errno("empty", path))
}

/// Removes everything in a directory but what `keep` names.
fn empty_but(path: &Path, keep: &dyn Fn(&CStr) -> bool) -> Result<(), Errno> {
    let Some(top) = open(CWD, path)? else {
        return Ok(());
    };
    let mut removal = Removal {
        top: top.as_fd(),
        moved: 0,
        #[cfg(test)]
        read: 0,
    };
    // Each round removes what the one before moved up.
    while let Some(round) = open(CWD, path)? {
        let moved = removal.moved;
        if !removal.empty(round, 0, keep)? || removal.moved == moved {
            break;
        }
    }
    Ok(())
}

/// `None` if somebody else was faster.
fn open(parent: BorrowedFd<'_>, path: impl rustix::path::Arg) -> Result<Option<OwnedFd>, Errno> {
    match openat(parent, path, DIRECTORY, Mode::empty()) {
        Ok(directory) => Ok(Some(directory)),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(errno),
    }
}

const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

struct Removal<'a> {
    top: BorrowedFd<'a>,
    moved: u64,
    /// How many times a directory has been read from its beginning.
    #[cfg(test)]
    read: u64,
}

impl Removal<'_> {
    /// Removes all in a directory but what `keep` names. Whether there was anything. It is read once from beginning to end:
    /// where a filesystem keeps the room of removed names, each beginning reads past all of it.
    fn empty(
        &mut self,
        directory: OwnedFd,
        depth: usize,
        keep: &dyn Fn(&CStr) -> bool,
    ) -> Result<bool, Errno> {
        let mut entries = match Dir::new(directory) {
            Ok(entries) => entries,
            // Somebody else has removed it since it was opened.
            Err(Errno::NOENT) => return Ok(false),
            Err(errno) => return Err(errno),
        };
        #[cfg(test)]
        {
            self.read += 1;
        }
        let mut found = false;
        loop {
            let names = some_names(&mut entries, keep)?;
            found |= !names.is_empty();
            for name in &names {
                self.remove(entries.fd()?, name, depth)?;
            }
            if names.len() < NAMES_MAX {
                return Ok(found);
            }
        }
    }

    fn remove(&mut self, parent: BorrowedFd<'_>, name: &CStr, depth: usize) -> Result<(), Errno> {
        match unlinkat(parent, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => return Ok(()),
            Err(Errno::ISDIR) => {}
            Err(errno) => return Err(errno),
        }
        // Most directories of a pod are empty: try before reading.
        match unlinkat(parent, name, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT) => return Ok(()),
            Err(Errno::NOTEMPTY) => {}
            Err(errno) => return Err(errno),
        }
        if depth >= DEPTH_MAX {
            return self.move_up(parent, name);
        }
        // Something may have come since, or the filesystem may have left it out.
        let is_refilled = |errno: &Errno| is_not_empty(&(*errno).into());
        repeatedly(is_refilled, || {
            let Some(directory) = open(parent, name)? else {
                return Ok(());
            };
            self.empty(directory, depth + 1, &|_| false)?;
            match unlinkat(parent, name, AtFlags::REMOVEDIR) {
                Err(Errno::NOENT) => Ok(()),
                other => other,
            }
        })
    }

    fn move_up(&mut self, parent: BorrowedFd<'_>, name: &CStr) -> Result<(), Errno> {
        loop {
            self.moved += 1;
            let free = format!(".removed-{}", self.moved);
            // Left by an interrupted removal: take the next number.
            match statat(self.top, free.as_str(), AtFlags::SYMLINK_NOFOLLOW) {
                Err(Errno::NOENT) => {
                    return match renameat(parent, name, self.top, free.as_str()) {
                        // Somebody else was faster, here or with the top.
                        Err(Errno::NOENT) => Ok(()),
                        other => other,
                    };
                }
                Ok(_) => {}
                Err(errno) => return Err(errno),
            }
        }
    }
}

/// The first names in a directory but those that `keep` names; all if they are fewer than [`NAMES_MAX`].
fn some_names(entries: &mut Dir, keep: &dyn Fn(&CStr) -> bool) -> Result<Vec<CString>, Errno> {
    let mut names = Vec::new();
    while names.len() < NAMES_MAX
        && let Some(entry) = entries.read()
    {
        let name = entry?.file_name().to_owned();
        if !matches!(name.to_bytes(), b"." | b"..") && !keep(&name) {
            names.push(name);
        }
    }
    Ok(names)
}

/// Whether a directory could not be removed because something is in it.
fn is_not_empty(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::DirectoryNotEmpty
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
    use rustix::fs::mkdirat;

    #[test]
    fn directories_nested_beyond_every_limit_are_removed() {
        let dir = tempfile::tempdir().unwrap();
        let pod = dir.path().join("pod");
        fs::create_dir_all(&pod).unwrap();
        fs::write(pod.join(MANIFEST_FILE), "{}").unwrap();
        let mut at = openat(CWD, &pod, DIRECTORY, Mode::empty()).unwrap();
        for _ in 0..3000 {
            mkdirat(&at, "d", Mode::RWXU).unwrap();
            at = openat(&at, "d", DIRECTORY, Mode::empty()).unwrap();
        }
        drop(at);
        remove_pod_dir(&pod).unwrap();
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
        remove_pod_dir(&pod).unwrap();
        assert!(outside.join("precious").exists());
    }

    #[test]
    fn directories_with_more_names_than_are_held_at_once_are_emptied() {
        let dir = tempfile::tempdir().unwrap();
        let pod = dir.path().join("pod");
        let full = pod.join("upper");
        fs::create_dir_all(&full).unwrap();
        for number in 0..2 * NAMES_MAX + 1 {
            fs::write(full.join(number.to_string()), "").unwrap();
            fs::write(pod.join(number.to_string()), "").unwrap();
        }
        remove_pod_dir(&pod).unwrap();
        assert!(!pod.exists());
    }

    #[test]
    fn a_manifest_goes_after_all_it_speaks_of_and_the_lock_last() {
        let dir = tempfile::tempdir().unwrap();
        let pod = dir.path().join("pod");
        fs::create_dir_all(pod.join("apps/web")).unwrap();
        // Nothing takes it away, so that what comes after it is seen.
        fs::create_dir(pod.join(MANIFEST_FILE)).unwrap();
        fs::write(pod.join(LOCK_FILE), "").unwrap();
        let error = remove_pod_dir(&pod).unwrap_err().to_string();
        assert!(error.contains("pod/pod.json"), "{error}");
        assert!(!pod.join("apps").exists() && pod.join(LOCK_FILE).exists());
        fs::remove_dir(pod.join(MANIFEST_FILE)).unwrap();
        remove_pod_dir(&pod).unwrap();
        assert!(!pod.exists());
    }

    #[test]
    fn what_is_not_a_directory_is_not_a_pod_s_and_stays() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("pod");
        fs::write(&file, "").unwrap();
        for error in [
            remove_pod_dir(&file).unwrap_err(),
            empty(&file).unwrap_err(),
        ] {
            assert!(error.to_string().contains("/pod"), "{error}");
        }
        assert!(file.exists());
    }

    #[test]
    fn a_directory_that_others_fill_is_emptied_again_but_not_for_ever() {
        let removed_at = |refilled: usize, other: bool| {
            let mut tried = 0;
            let result = repeatedly(
                |error| *error == "not empty",
                || {
                    tried += 1;
                    match tried > refilled {
                        true if other => Err("busy"),
                        true => Ok(()),
                        false => Err("not empty"),
                    }
                },
            );
            (tried, result)
        };
        assert_eq!(removed_at(0, false), (1, Ok(())));
        assert_eq!(removed_at(7, false), (8, Ok(())));
        assert_eq!(removed_at(8, false), (8, Err("not empty")));
        assert_eq!(removed_at(2, true), (3, Err("busy")));
    }

    #[test]
    fn only_a_directory_that_is_not_empty_is_emptied_again() {
        assert!(is_not_empty(&Errno::NOTEMPTY.into()));
        for other in [Errno::BUSY, Errno::NOENT, Errno::ACCESS] {
            assert!(!is_not_empty(&other.into()), "{other}");
        }
    }

    #[test]
    fn what_is_nested_deeper_than_is_descended_is_moved_up() {
        let dir = tempfile::tempdir().unwrap();
        for (depth, moved) in [(DEPTH_MAX, 0), (DEPTH_MAX + 1, 1), (2 * DEPTH_MAX, 1)] {
            let top = dir.path().join(depth.to_string());
            let mut at = top.clone();
            (0..depth).for_each(|_| at.push("d"));
            fs::create_dir_all(&at).unwrap();
            fs::write(at.join("file"), "").unwrap();
            // Left by a removal that was interrupted.
            fs::write(top.join(".removed-1"), "").unwrap();
            let directory = || open(CWD, &top).unwrap().unwrap();
            let held = directory();
            let mut removal = Removal {
                top: held.as_fd(),
                ..removal()
            };
            let keep = |name: &CStr| name == c".removed-1";
            assert!(removal.empty(directory(), 0, &keep).unwrap());
            let left = fs::read_dir(&top).unwrap().count();
            assert_eq!(left, 1 + moved, "{depth}");
            empty(&top).unwrap();
            assert_eq!(fs::read_dir(&top).unwrap().count(), 0);
        }
    }

    fn removal() -> Removal<'static> {
        Removal {
            top: CWD,
            moved: 0,
            read: 0,
        }
    }

    #[test]
    fn each_directory_is_read_once_however_many_names_it_has() {
        let dir = tempfile::tempdir().unwrap();
        for number in 0..5 * NAMES_MAX {
            fs::write(dir.path().join(number.to_string()), "").unwrap();
        }
        let below = dir.path().join("below");
        fs::create_dir(&below).unwrap();
        fs::write(below.join("file"), "").unwrap();
        let mut removal = removal();
        let opened = open(CWD, dir.path()).unwrap().unwrap();
        assert!(removal.empty(opened, 0, &|_| false).unwrap());
        assert_eq!(removal.read, 2);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_directory_that_goes_while_it_is_emptied_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let removed = dir.path().join("removed");
        fs::create_dir(&removed).unwrap();
        let opened = open(CWD, &removed).unwrap().unwrap();
        fs::remove_dir(&removed).unwrap();
        let mut removal = removal();
        assert!(!removal.empty(opened, 0, &|_| false).unwrap());
        empty(&removed).unwrap();
    }

    #[test]
    fn many_may_remove_one_directory() {
        let dir = tempfile::tempdir().unwrap();
        let pod = dir.path().join("pod");
        for _ in 0..20 {
            fs::create_dir_all(pod.join("a/b")).unwrap();
            for number in 0..100 {
                fs::write(pod.join("a").join(number.to_string()), "").unwrap();
            }
            fs::write(pod.join(LOCK_FILE), "").unwrap();
            std::thread::scope(|scope| {
                let removers = [(); 3].map(|()| scope.spawn(|| remove_pod_dir(&pod)));
                for remover in removers {
                    remover.join().unwrap().unwrap();
                }
            });
            assert!(!pod.exists());
        }
        remove_pod_dir(&pod).unwrap();
    }
}
