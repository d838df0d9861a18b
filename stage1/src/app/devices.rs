//! The kernel filesystems of an app, mounted but attached to nothing: `/proc`, `/sys`, `/dev` and what
//! is below it. Nothing of them comes from the image. They are the app's own, or all of them the host's.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};

use pod::manifest::UserNamespace;
use pod::selinux::Context;
use rustix::fs::{Mode, OFlags, XattrFlags, fsetxattr, openat};
use rustix::io::Errno;
use rustix::mount::MountAttrFlags;
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, unlockpt};

use crate::app::detached::{CONTEXT, mount_detached};
use crate::app::device_files;
use crate::failure::StartFailure;
use crate::protocol::Setup;

/// An app's kernel filesystems.
#[derive(Debug)]
pub(crate) struct Devices {
    pub(crate) proc: OwnedFd,
    pub(crate) sys: OwnedFd,
    pub(crate) dev: OwnedFd,
    /// Where its terminals are.
    pub(crate) pts: OwnedFd,
    /// Its message queues, unless all of these are the host's.
    pub(crate) mqueue: Option<OwnedFd>,
}

/// Those that need to know nothing of the pod's network: they are made while the monitor still joins it.
#[derive(Debug)]
pub(crate) struct FirstDevices {
    proc: OwnedFd,
    dev: OwnedFd,
    pts: OwnedFd,
    mqueue: Option<OwnedFd>,
    /// What the monitor has made, in a user namespace without a network of its own; or the host's.
    sys: Option<OwnedFd>,
}

/// What of them the monitor has made.
#[derive(Debug)]
pub(crate) enum HandedDevices {
    /// Of the app's own, where pod init can't.
    Own {
        dev: Option<OwnedFd>,
        sys: Option<OwnedFd>,
    },
    /// The host's, each with what is mounted there.
    OfHost {
        proc: OwnedFd,
        sys: OwnedFd,
        dev: OwnedFd,
    },
}

impl Default for HandedDevices {
    fn default() -> Self {
        Self::Own {
            dev: None,
            sys: None,
        }
    }
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

/// The labels of SELinux of files that are made, where that is enabled.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct FileLabels<'a> {
    /// Of the app.
    pub(crate) app: Option<&'a Context>,
    /// Of the message queues, which all apps of the pod share.
    pub(crate) queues: Option<&'a Context>,
}

/// The extended attribute that is a file's label.
const SECURITY_SELINUX: &str = "security.selinux";

const NOSUID: MountAttrFlags = MountAttrFlags::MOUNT_ATTR_NOSUID;
const NOEXEC: MountAttrFlags = MountAttrFlags::MOUNT_ATTR_NOEXEC;
const NODEV: MountAttrFlags = MountAttrFlags::MOUNT_ATTR_NODEV;
const RDONLY: MountAttrFlags = MountAttrFlags::MOUNT_ATTR_RDONLY;

/// The group of terminals.
const TTY: u32 = 5;
const GUARDED: MountAttrFlags = NOSUID.union(NODEV).union(NOEXEC);

impl FirstDevices {
    /// In a pod that has these users, if they are not the host's.
    pub(crate) fn new(
        tty: bool,
        proc_options: &BTreeMap<String, String>,
        bounds: DeviceBounds,
        users: Option<&UserNamespace>,
        handed: HandedDevices,
        labels: FileLabels<'_>,
    ) -> Result<Self, StartFailure> {
        let (dev, sys) = match handed {
            HandedDevices::Own { dev, sys } => (dev, sys),
            HandedDevices::OfHost { proc, sys, dev } => return Self::of_host(proc, sys, dev),
        };
        let dev = match dev {
            Some(dev) => dev,
            None => device_files::make(tty, bounds.files, None, labels.app)?,
        };
        // The machine has a few thousand for all.
        let terminals = bounds.terminals.to_string();
        let mut pts = vec![("ptmxmode", "0666"), ("mode", "0620"), ("max", &terminals)];
        // A pod without that group has terminals of their users' groups.
        if users.is_none_or(|ids| ids.host_gid(TTY).is_some()) {
            pts.push(("gid", "5"));
        }
        let label = labels.app.map(Context::to_string);
        pts.extend(label.as_deref().map(|label| (CONTEXT, label)));
        let mqueue = mount_detached("mqueue", &[], GUARDED)?;
        labels.queues.map_or(Ok(()), |label| {
            set_label(&mqueue, label).map_err(StartFailure::os(format_args!(
                "give /dev/mqueue the label {label}"
            )))
        })?;
        Ok(Self {
            proc: mount_detached("proc", &pairs(proc_options), GUARDED)?,
            dev,
            pts: mount_detached("devpts", &pts, NOSUID | NOEXEC)?,
            mqueue: Some(mqueue),
            sys,
        })
    }

    fn of_host(proc: OwnedFd, sys: OwnedFd, dev: OwnedFd) -> Result<Self, StartFailure> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let pts = openat(&dev, "pts", flags, Mode::empty());
        Ok(Self {
            proc,
            pts: pts.map_err(StartFailure::os("open the host's /dev/pts"))?,
            dev,
            mqueue: None,
            sys: Some(sys),
        })
    }

    /// Adds `/sys`, in the pod's network namespace. It can be written only if `guards_paths` is false.
    pub(crate) fn complete(self, guards_paths: bool) -> Result<Devices, StartFailure> {
        let Self {
            proc,
            dev,
            pts,
            mqueue,
            sys,
        } = self;
        let attributes = match guards_paths {
            true => GUARDED | RDONLY,
            false => GUARDED,
        };
        let sys = match sys {
            Some(sys) => sys,
            None => mount_detached("sysfs", &[], attributes)?,
        };
        Ok(Devices {
            proc,
            sys,
            dev,
            pts,
            mqueue,
        })
    }
}

impl Devices {
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

/// Labels the root of a filesystem that all apps of a pod share: the kernel takes no option for it. A policy may have one
/// label for all message queues; then there is none to give.
fn set_label(mount: &OwnedFd, label: &Context) -> Result<(), Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = openat(mount, ".", flags, Mode::empty())?;
    let label = label.to_string();
    match fsetxattr(
        root,
        SECURITY_SELINUX,
        label.as_bytes(),
        XattrFlags::empty(),
    ) {
        Err(Errno::OPNOTSUPP) => Ok(()),
        other => other,
    }
}

fn pairs(options: &BTreeMap<String, String>) -> Vec<(&str, &str)> {
    let options = options.iter();
    options
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect()
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
