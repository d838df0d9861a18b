//! Filesystems in memory at places where programs expect to write.

use pod::manifest::{AppPath, Mount, MountOption, MountSource};

/// Where programs write whose root filesystem can't be written to, as podman has it, and the permission bits of each.
const OF_READ_ONLY: [(&str, u32); 3] = [("/run", 0o755), ("/tmp", 0o1777), ("/var/tmp", 0o1777)];

/// Adds what a program needs whose root filesystem can't be written to, but where something else is mounted.
pub(super) fn add_writable(mounts: &mut Vec<Mount>) {
    add(mounts, &OF_READ_ONLY, &[MountOption::Exec]);
}

/// Adds such filesystems, but where something else is mounted.
pub(super) fn add(mounts: &mut Vec<Mount>, places: &[(&str, u32)], options: &[MountOption]) {
    for (place, mode) in places {
        let is_taken = |mount: &Mount| mount.destination.as_str().trim_end_matches('/') == *place;
        if mounts.iter().any(is_taken) {
            continue;
        }
        let Ok(destination) = AppPath::try_from((*place).to_owned()) else {
            continue;
        };
        mounts.push(Mount {
            destination,
            source: MountSource::Tmpfs {
                size: None,
                mode: Some(*mode),
                uid: None,
                gid: None,
            },
            options: options.to_vec(),
            uid_mappings: Vec::new(),
            gid_mappings: Vec::new(),
        });
    }
}
