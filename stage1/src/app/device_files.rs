//! An app's `/dev`: a filesystem in memory with the devices that every app has.
//!
//! Pod init makes it. In a user namespace nobody can make devices that could be opened, so there the monitor does.

use std::os::fd::OwnedFd;

use pod::selinux::Context;
use rustix::fs::{
    AtFlags, FileType, Gid, Mode, Uid, chmodat, chownat, makedev, mkdirat, mknodat, symlinkat,
};
use rustix::io::Errno;
use rustix::mount::MountAttrFlags;

use crate::app::detached::{CONTEXT, mount_detached};
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

/// Makes one with room for so many files, which belongs to `owner`, if not to root, and whose files have this label, if one
/// is given.
///
/// # Errors
/// What the kernel answers.
pub fn make(
    tty: bool,
    files: u32,
    owner: Option<(Uid, Gid)>,
    label: Option<&Context>,
) -> Result<OwnedFd, StartFailure> {
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
    let label = label.map(Context::to_string);
    options.extend(label.as_deref().map(|label| (CONTEXT, label)));
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
