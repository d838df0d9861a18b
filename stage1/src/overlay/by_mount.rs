//! The overlay by mount(2), for kernels that take all layers in one option.

use std::ffi::CString;
use std::fs;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;
use rustix::mount::{MountFlags, OpenTreeFlags, UnmountFlags, mount, open_tree, unmount};
use rustix::process::fchdir;

use super::directories::{Directories, HARDENING};
use crate::app::detached::CONTEXT;

/// Where it is attached for a moment: any directory that is sure to exist.
const PLACE: &str = "/proc";

/// Such a kernel also wants a mount to be attached once. So that nobody sees it, the calling thread is in a mount
/// namespace of its own.
pub(super) fn attach_and_clone(directories: &Directories) -> Result<OwnedFd, Errno> {
    // mount(2) takes one page of options, which the digests of some fifty layers fill. The numbers of
    // open descriptors, seen from their directory, are short enough for the 500 layers that overlayfs
    // takes.
    let open_lower = |path: &String| match directories.lower_is_attached {
        true => open(Path::new(path)),
        false => open_here(path),
    };
    let earlier = directories.earlier.iter().map(|path| open_here(path));
    let lower = earlier.chain(directories.lower.iter().map(open_lower));
    let lower: Vec<OwnedFd> = lower.collect::<Result<_, _>>()?;
    let numbers: Vec<String> = lower.iter().map(|l| l.as_raw_fd().to_string()).collect();
    let mut data = format!("lowerdir={}", numbers.join(":"));
    // Open until it is mounted.
    let mut own = Vec::new();
    if let Some(changes) = &directories.changes {
        for (key, path) in [("upperdir", &changes.upper), ("workdir", &changes.work)] {
            let opened = open_here(path)?;
            data.push_str(&format!(",{key}={}", opened.as_raw_fd()));
            own.push(opened);
        }
        if changes.discard {
            data.push_str(",volatile");
        }
    }
    for (key, value) in HARDENING {
        data.push_str(&format!(",{key}={value}"));
    }
    if let Some(label) = &directories.label {
        // In quotes, since a level has commas.
        data.push_str(&format!(",{CONTEXT}=\"{label}\""));
    }
    let data = CString::new(data).map_err(|_| Errno::INVAL)?;
    fchdir(&open(Path::new("/proc/self/fd"))?)?;
    mount(
        "overlay",
        PLACE,
        "overlay",
        MountFlags::NODEV,
        data.as_c_str(),
    )?;
    let tree = open_tree(
        CWD,
        PLACE,
        OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC,
    );
    unmount(PLACE, UnmountFlags::DETACH)?;
    tree
}

/// Opens a directory on a mount of this thread's own namespace, as overlayfs wants it: what a descriptor from before
/// leads to is on one of the host's.
pub(super) fn open_here(path: &str) -> Result<OwnedFd, Errno> {
    let path = fs::canonicalize(path)
        .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
    open(&path)
}

fn open(path: &Path) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    openat(CWD, path, flags, Mode::empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::overlay::directories::Changes;
    use crate::overlay::unseen::in_unseen_namespace;
    use std::os::fd::AsFd;

    /// Needs root, as all tests that mount something.
    #[test]
    fn directories_that_were_opened_before_become_an_overlay() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["lowest", "lower", "upper", "work"] {
            fs::create_dir(directory.path().join(name)).unwrap();
        }
        fs::write(directory.path().join("lower/file"), "text").unwrap();
        let opened = open(directory.path()).unwrap();
        let path = |name| format!("/proc/self/fd/{}/{name}", opened.as_raw_fd());
        let directories = Directories {
            lower: vec![path("lower"), path("lowest")],
            earlier: None,
            changes: Some(Changes {
                upper: path("upper"),
                work: path("work"),
                discard: true,
            }),
            lower_is_attached: false,
            label: None,
        };
        let root = in_unseen_namespace(&[], || attach_and_clone(&directories)).unwrap();
        let file = openat(root.as_fd(), "file", OFlags::RDONLY, Mode::empty()).unwrap();
        assert_eq!(
            std::io::read_to_string(fs::File::from(file)).unwrap(),
            "text"
        );
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        assert!(
            !mounts.contains(directory.path().to_str().unwrap()),
            "{mounts}"
        );
    }
}
