//! The kernel filesystems of an app, mounted but attached to nothing: `/proc`, `/sys`, `/dev` and what
//! is below it. Nothing of them comes from the image.

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{FileType, Mode, OFlags, makedev, mkdirat, mknodat, openat, symlinkat};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_string, fsmount,
    fsopen,
};
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, unlockpt};

use crate::failure::StartFailure;
use crate::protocol::Setup;

/// An app's kernel filesystems.
#[derive(Debug)]
pub(crate) struct Devices {
    pub(crate) proc: OwnedFd,
    pub(crate) sys: OwnedFd,
    pub(crate) dev: OwnedFd,
    pub(crate) pts: OwnedFd,
    pub(crate) mqueue: OwnedFd,
}

/// How much an app gets of what all of the machine share.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DeviceBounds {
    /// Pseudo-terminals at a time.
    terminals: u32,
    /// Files in `/dev`, each of which takes memory of the kernel, however empty it is.
    files: u32,
}

impl DeviceBounds {
    /// As the monitor says.
    pub(crate) fn of(setup: &Setup) -> Self {
        Self {
            terminals: setup.terminals,
            files: setup.memory_files,
        }
    }
}

/// Both ends of a pseudo-terminal.
#[derive(Debug)]
pub(crate) struct Terminal {
    pub(crate) master: OwnedFd,
    pub(crate) slave: OwnedFd,
}

const NOSUID: MountAttrFlags = MountAttrFlags::MOUNT_ATTR_NOSUID;
const NOEXEC: MountAttrFlags = MountAttrFlags::MOUNT_ATTR_NOEXEC;
const NODEV: MountAttrFlags = MountAttrFlags::MOUNT_ATTR_NODEV;
const RDONLY: MountAttrFlags = MountAttrFlags::MOUNT_ATTR_RDONLY;

/// Name and number (major 1 is memory, 5 is terminals) of the devices that every app has.
const NODES: [(&str, (u32, u32)); 6] = [
    ("full", (1, 7)),
    ("null", (1, 3)),
    ("random", (1, 8)),
    ("tty", (5, 0)),
    ("urandom", (1, 9)),
    ("zero", (1, 5)),
];

const LINKS: [(&str, &str); 5] = [
    ("fd", "/proc/self/fd"),
    ("ptmx", "pts/ptmx"),
    ("stderr", "/proc/self/fd/2"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
];

/// Mounts a filesystem of type `kind` without attaching it.
pub(crate) fn mount_detached(
    kind: &str,
    options: &[(&str, &str)],
    attributes: MountAttrFlags,
) -> Result<OwnedFd, StartFailure> {
    let mounted = (|| -> Result<OwnedFd, Errno> {
        let context = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
        for (key, value) in options {
            fsconfig_set_string(context.as_fd(), *key, *value)?;
        }
        fsconfig_create(context.as_fd())?;
        fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes)
    })();
    mounted.map_err(StartFailure::os(format_args!("mount a new {kind}")))
}

impl Devices {
    /// `/sys` can be written only if `guards_paths` is false.
    pub(crate) fn new(
        tty: bool,
        guards_paths: bool,
        bounds: DeviceBounds,
    ) -> Result<Self, StartFailure> {
        let guarded = NOSUID | NODEV | NOEXEC;
        let sys = match guards_paths {
            true => guarded | RDONLY,
            false => guarded,
        };
        let files = bounds.files.to_string();
        let dev = mount_detached(
            "tmpfs",
            &[("mode", "755"), ("size", "64k"), ("nr_inodes", &files)],
            NOSUID | NOEXEC,
        )?;
        populate(&dev, tty).map_err(StartFailure::os("fill /dev"))?;
        // The machine has a few thousand for all.
        let terminals = bounds.terminals.to_string();
        let pts = [
            ("ptmxmode", "0666"),
            ("mode", "0620"),
            ("gid", "5"),
            ("max", &terminals),
        ];
        Ok(Self {
            proc: mount_detached("proc", &[], guarded)?,
            sys: mount_detached("sysfs", &[], sys)?,
            dev,
            pts: mount_detached("devpts", &pts, NOSUID | NOEXEC)?,
            mqueue: mount_detached("mqueue", &[], guarded)?,
        })
    }

    /// Makes a pseudo-terminal of the app's own.
    pub(crate) fn terminal(&self) -> Result<Terminal, StartFailure> {
        make_terminal(&self.pts)
    }

    /// Opens the app's own `/dev/null`.
    pub(crate) fn null(&self) -> Result<OwnedFd, StartFailure> {
        openat(
            &self.dev,
            "null",
            OFlags::RDWR | OFlags::CLOEXEC,
            Mode::empty(),
        )
        .map_err(StartFailure::os("open /dev/null"))
    }
}

/// Makes a pseudo-terminal in a devpts, given the directory where that is mounted.
pub(crate) fn make_terminal(pts: &impl AsFd) -> Result<Terminal, StartFailure> {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let made = (|| -> Result<Terminal, Errno> {
        let master = openat(pts, "ptmx", flags, Mode::empty())?;
        unlockpt(&master)?;
        // By descriptor, never by a name that the app could have changed.
        let peer = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let slave = ioctl_tiocgptpeer(&master, peer)?;
        Ok(Terminal { master, slave })
    })();
    made.map_err(|error| match error {
        Errno::NOSPC => StartFailure::other("all pseudo-terminals that the app may have are taken"),
        _ => StartFailure::os("make a pseudo-terminal")(error),
    })
}

fn populate(dev: &OwnedFd, tty: bool) -> Result<(), Errno> {
    for (name, (major, minor)) in NODES {
        // Not narrowed by the file mode mask: pod init's is empty.
        mknodat(
            dev,
            name,
            FileType::CharacterDevice,
            Mode::from_raw_mode(0o666),
            makedev(major, minor),
        )?;
    }
    for (name, target) in LINKS {
        symlinkat(target, dev, name)?;
    }
    for name in ["pts", "shm", "mqueue"] {
        mkdirat(dev, name, Mode::from_raw_mode(0o755))?;
    }
    if tty {
        mknodat(
            dev,
            "console",
            FileType::RegularFile,
            Mode::from_raw_mode(0o600),
            0,
        )?;
    }
    Ok(())
}
