//! An app's `/dev`: a filesystem in memory with the devices that every app has.
//!
//! Pod init makes it. In a user namespace nobody can make devices that could be opened, so there the monitor does.

use std::os::fd::OwnedFd;

use pod::manifest::DeviceKind;
use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, Uid, chmodat, chownat, makedev, mkdirat, mknodat, openat,
    symlinkat, unlinkat,
};
use rustix::io::Errno;
use rustix::mount::MountAttrFlags;

use crate::app::detached::mount_detached;
use crate::failure::StartFailure;

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

const DIRECTORIES: [&str; 3] = ["pts", "shm", "mqueue"];

/// A device of the host that an app gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostDevice {
    /// Where, below `/dev`.
    pub path: String,
    /// Its kind.
    pub kind: DeviceKind,
    /// Its major and minor number.
    pub number: (u32, u32),
    /// Its permission bits.
    pub mode: u32,
    /// Whose it is, by the host's numbers.
    pub owner: (Uid, Gid),
}

/// Adds devices of the host.
///
/// # Errors
/// What the kernel answers, about which.
pub fn add(dev: &OwnedFd, devices: &[HostDevice]) -> Result<(), StartFailure> {
    devices.iter().try_for_each(|device| {
        let failed = format!("make the device /dev/{}", device.path);
        add_one(dev, device).map_err(StartFailure::os(failed))
    })
}

fn add_one(dev: &OwnedFd, device: &HostDevice) -> Result<(), Errno> {
    let mut folder = open_folder(dev, ".")?;
    let mut names = device.path.split('/').peekable();
    while let Some(name) = names.next() {
        if name.is_empty() || matches!(name, "." | "..") {
            return Err(Errno::INVAL);
        }
        if names.peek().is_some() {
            match mkdirat(&folder, name, Mode::from_raw_mode(0o755)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(error) => return Err(error),
            }
            // Not through the links that lead out of here.
            folder = open_folder(&folder, name)?;
            continue;
        }
        let kind = match device.kind {
            DeviceKind::Character => FileType::CharacterDevice,
            DeviceKind::Block => FileType::BlockDevice,
        };
        let mode = Mode::from_raw_mode(device.mode & 0o777);
        let (major, minor) = device.number;
        let make = || mknodat(&folder, name, kind, mode, makedev(major, minor));
        match make() {
            // One of those that every app has, say.
            Err(Errno::EXIST) => {
                unlinkat(&folder, name, AtFlags::empty())?;
                make()?;
            }
            other => other?,
        }
        // The monitor's file mode mask has narrowed it.
        chmodat(&folder, name, mode, AtFlags::empty())?;
        let (user, group) = device.owner;
        chownat(
            &folder,
            name,
            Some(user),
            Some(group),
            AtFlags::SYMLINK_NOFOLLOW,
        )?;
    }
    Ok(())
}

fn open_folder(folder: &OwnedFd, name: &str) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(folder, name, flags, Mode::empty())
}

/// Makes one with room for so many files, which belongs to `owner`, if not to root.
///
/// # Errors
/// What the kernel answers.
pub fn make(tty: bool, files: u32, owner: Option<(Uid, Gid)>) -> Result<OwnedFd, StartFailure> {
    let files = files.to_string();
    let mut options = vec![
        ("mode", "755"),
        ("size", "64k"),
        ("nr_inodes", files.as_str()),
    ];
    let (user, group);
    if let Some(owner) = owner {
        user = owner.0.as_raw().to_string();
        group = owner.1.as_raw().to_string();
        options.extend([("uid", user.as_str()), ("gid", group.as_str())]);
    }
    let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    let dev = mount_detached("tmpfs", &options, attributes)?;
    populate(&dev, tty, owner).map_err(StartFailure::os("fill /dev"))?;
    Ok(dev)
}

/// Mounts the `/sys` of the network that the calling process is in, read-only.
///
/// # Errors
/// What the kernel answers.
pub fn sys_of_own_network() -> Result<OwnedFd, StartFailure> {
    let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOEXEC
        | MountAttrFlags::MOUNT_ATTR_RDONLY;
    mount_detached("sysfs", &[], attributes)
}

fn populate(dev: &OwnedFd, tty: bool, owner: Option<(Uid, Gid)>) -> Result<(), Errno> {
    for (name, (major, minor)) in NODES {
        let mode = Mode::from_raw_mode(0o666);
        let device = makedev(major, minor);
        mknodat(dev, name, FileType::CharacterDevice, mode, device)?;
        if owner.is_some() {
            // The monitor's file mode mask narrows it; pod init's is empty.
            chmodat(dev, name, mode, AtFlags::empty())?;
        }
    }
    for (name, target) in LINKS {
        symlinkat(target, dev, name)?;
    }
    for name in DIRECTORIES {
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
    if let Some((user, group)) = owner {
        let nodes = NODES.iter().map(|(name, _)| *name);
        let links = LINKS.iter().map(|(name, _)| *name);
        let all = nodes.chain(links).chain(DIRECTORIES);
        for name in all.chain(tty.then_some("console")) {
            chownat(
                dev,
                name,
                Some(user),
                Some(group),
                AtFlags::SYMLINK_NOFOLLOW,
            )?;
        }
    }
    Ok(())
}
