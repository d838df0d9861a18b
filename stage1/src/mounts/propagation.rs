//! What spreads from a mount to others: whether one of the host is shared (proc(5), `/proc/PID/mountinfo`), and one that is
//! nobody's peer.

use std::fs;
use std::os::fd::{AsRawFd, OwnedFd};

use rustix::io::Errno;

use crate::sys::MountChange;

impl MountChange {
    /// From now on nothing spreads to it or from it. The copy of a shared mount is shared too.
    pub const PRIVATE: Self = Self {
        set: 0,
        clear: 0,
        propagation: libc::MS_PRIVATE,
    };
}

/// Whether mounts below it are seen in other namespaces too.
pub(super) fn is_shared(source: &OwnedFd) -> Result<bool, Errno> {
    let read = |path: &str| {
        fs::read_to_string(path).map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))
    };
    let of_descriptor = read(&format!("/proc/self/fdinfo/{}", source.as_raw_fd()))?;
    let mounts = read("/proc/self/mountinfo")?;
    Ok(mount_id(&of_descriptor).is_some_and(|id| has_peers(&mounts, id)))
}

fn mount_id(fdinfo: &str) -> Option<&str> {
    let mut lines = fdinfo.lines();
    lines.find_map(|line| Some(line.strip_prefix("mnt_id:")?.trim()))
}

/// Whether the mount with this number has an optional field `shared:GROUP`.
fn has_peers(mountinfo: &str, id: &str) -> bool {
    let line = mountinfo
        .lines()
        .find(|line| line.split(' ').next() == Some(id));
    line.and_then(|line| line.split_once(" - "))
        .is_some_and(|(mount, _)| {
            let mut optional = mount.split(' ').skip(6);
            optional.any(|field| field.starts_with("shared:"))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_optional_fields_of_the_mount_decide() {
        const MOUNTS: &str = "\
            21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n\
            22 21 0:5 / /shared:x rw - tmpfs none rw\n\
            23 21 0:6 / /a rw master:2 - tmpfs none rw,shared:9\n\
            24 21 0:7 / /b rw master:2 shared:7 - tmpfs none rw\n";
        let shared = |id: &str| has_peers(MOUNTS, id);
        assert!(shared("21") && shared("24"));
        assert!(!shared("22") && !shared("23") && !shared("2"));
    }

    #[test]
    fn a_descriptor_tells_its_mount() {
        let told = "pos:\t0\nflags:\t012000000\nmnt_id:\t27\nino:\t2\n";
        assert_eq!(mount_id(told), Some("27"));
        assert_eq!(mount_id("pos:\t0\n"), None);
    }
}
