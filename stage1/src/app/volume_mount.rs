//! Where an app's volumes go in its root: places are made where they are missing, and nothing leads out of the root.
//!
//! The half that attaches runs between clone and exec: no allocation, no locks.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use pod::manifest::AppPath;
use rustix::fs::{FileType, Mode, OFlags, fstat, fstatfs, mkdirat, mknodat};
use rustix::io::Errno;

use crate::app::attach::attach_to;
use crate::app::resolve::{IN_ROOT, open_within};
use crate::failure::StartFailure;

/// The filesystem of processes, which has masks that a mount would cover (statfs(2)).
const PROC_MAGIC: u64 = 0x9fa0;

/// A mount on its way to its place in an app.
#[derive(Debug)]
pub(crate) struct VolumeMount {
    pub(crate) mount: OwnedFd,
    pub(crate) place: Place,
}

/// A place in an app's root, with all that leads there.
#[derive(Debug)]
pub(crate) struct Place {
    /// As the app sees it.
    shown: AppPath,
    steps: Vec<Step>,
}

/// A directory on the way, or the end of it.
#[derive(Debug)]
struct Step {
    /// From the root.
    path: CString,
    name: CString,
}

impl Place {
    /// That with this path.
    ///
    /// # Errors
    /// If it is the root itself, or goes back up.
    pub(crate) fn of(path: &AppPath) -> Result<Self, StartFailure> {
        let cannot = |why: &str| StartFailure::other(format!("cannot mount on {path}: {why}"));
        let mut steps: Vec<Step> = Vec::new();
        let mut so_far = String::new();
        let names = path.as_str().split('/');
        for name in names.filter(|name| !matches!(*name, "" | ".")) {
            if name == ".." {
                return Err(cannot("the path goes back up"));
            }
            if !so_far.is_empty() {
                so_far.push('/');
            }
            so_far.push_str(name);
            let text = |text: &str| CString::new(text).map_err(|_| cannot("it has a NUL byte"));
            steps.push(Step {
                path: text(&so_far)?,
                name: text(name)?,
            });
        }
        match steps.is_empty() {
            true => Err(cannot("that is the root filesystem itself")),
            false => Ok(Self {
                shown: path.clone(),
                steps,
            }),
        }
    }

    /// The path as the app sees it.
    pub(crate) fn shown(&self) -> &AppPath {
        &self.shown
    }

    /// Opens it. What is missing on the way is made, and so is the place: a directory, or a file to mount a file on.
    fn open_or_make(&self, root: BorrowedFd<'_>, is_directory: bool) -> Result<OwnedFd, Errno> {
        let mut parent: Option<OwnedFd> = None;
        for (number, step) in (1..).zip(&self.steps) {
            let on_the_way = number < self.steps.len();
            let found = match open(root, &step.path) {
                Err(Errno::NOENT) => {
                    let parent = parent.as_ref().map_or(root, AsFd::as_fd);
                    is_no_procfs(parent)?;
                    make(parent, &step.name, on_the_way || is_directory)?;
                    // From the root again: a directory that was moved meanwhile leads nowhere else.
                    open(root, &step.path)
                }
                found => found,
            };
            parent = Some(found?);
        }
        parent.ok_or(Errno::INVAL)
    }
}

fn open(root: BorrowedFd<'_>, path: &CStr) -> Result<OwnedFd, Errno> {
    open_within(root, path, OFlags::PATH, Mode::empty(), IN_ROOT)
}

fn make(parent: BorrowedFd<'_>, name: &CStr, is_directory: bool) -> Result<(), Errno> {
    let made = match is_directory {
        true => mkdirat(parent, name, Mode::from_raw_mode(0o755)),
        false => {
            let mode = Mode::from_raw_mode(0o644);
            mknodat(parent, name, FileType::RegularFile, mode, 0)
        }
    };
    match made {
        // Somebody else was faster; or there is a link into nowhere, which is not followed.
        Err(Errno::EXIST) => Ok(()),
        made => made,
    }
}

impl VolumeMount {
    /// Attaches it below `root`. System calls only.
    pub(crate) fn attach(&self, root: BorrowedFd<'_>) -> Result<(), Errno> {
        let is_directory = is_directory(self.mount.as_fd())?;
        let target = self.place.open_or_make(root, is_directory)?;
        is_no_procfs(target.as_fd())?;
        match (is_directory, self::is_directory(target.as_fd())?) {
            (true, false) => Err(Errno::NOTDIR),
            (false, true) => Err(Errno::ISDIR),
            _ => attach_to(self.mount.as_fd(), &target),
        }
    }
}

fn is_no_procfs(place: BorrowedFd<'_>) -> Result<(), Errno> {
    match fstatfs(place)?.f_type as u64 {
        PROC_MAGIC => Err(Errno::PERM),
        _ => Ok(()),
    }
}

fn is_directory(file: BorrowedFd<'_>) -> Result<bool, Errno> {
    let mode = fstat(file)?.st_mode;
    Ok(FileType::from_raw_mode(mode) == FileType::Directory)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(path: &str) -> Result<Place, StartFailure> {
        Place::of(&AppPath::try_from(path.to_owned()).unwrap())
    }

    #[test]
    fn each_step_of_a_path_is_known_before_the_clone() {
        let place = place("//srv/./data/").unwrap();
        let steps: Vec<_> = place
            .steps
            .iter()
            .map(|step| (step.path.to_str().unwrap(), step.name.to_str().unwrap()))
            .collect();
        assert_eq!(steps, [("srv", "srv"), ("srv/data", "data")]);
        for (path, why) in [("/", "root filesystem"), ("/a/../b", "back up")] {
            let error = self::place(path).unwrap_err();
            assert!(error.message.contains(why), "{error}");
        }
    }

    #[test]
    fn what_is_missing_is_made_and_no_link_leads_out() {
        let root = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        let path = root.path();
        std::os::unix::fs::symlink(outside.path(), path.join("out")).unwrap();
        std::os::unix::fs::symlink("/run", path.join("var")).unwrap();
        std::fs::create_dir(path.join("run")).unwrap();
        std::os::unix::fs::symlink("nowhere", path.join("dangling")).unwrap();
        let directory = std::fs::File::open(path).unwrap();
        let make = |text: &str, is_directory| {
            place(text)
                .unwrap()
                .open_or_make(directory.as_fd(), is_directory)
        };
        make("/a/b/c", true).unwrap();
        assert!(path.join("a/b/c").is_dir());
        make("/a/b/file", false).unwrap();
        assert!(path.join("a/b/file").is_file());
        // As the app sees it.
        make("/var/lock", true).unwrap();
        assert!(path.join("run/lock").is_dir());
        assert_eq!(make("/dangling/x", true).unwrap_err(), Errno::NOENT);
        assert_eq!(make("/a/b/file/x", true).unwrap_err(), Errno::NOTDIR);
        assert_eq!(make("/out/x", true).unwrap_err(), Errno::NOENT);
        assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
    }
}
