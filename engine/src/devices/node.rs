//! Device nodes of the host.

use std::fs::{self, Metadata};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use nix::sys::stat::{major, minor};
use pod::manifest::{AppPath, Device, DeviceAccess, DeviceKind};

use crate::error::DeviceError;

/// Most devices of one app.
pub(super) const DEVICES_MAX: usize = 1024;
/// How deep directories of devices go.
const DEPTH_MAX: usize = 16;
/// What of `/dev` is each app's own. Nothing of it is taken from the host's directories.
const OWN: [&str; 7] = ["console", "fd", "mqueue", "pts", "shm", "stderr", "stdin"];
const ALSO_OWN: [&str; 2] = ["stdout", "ptmx"];

/// The device at a path of the host, or those in the directory there.
///
/// # Errors
/// If there is none, or an app can't have one in that place.
pub(super) fn at(
    host: &Path,
    place: Option<&str>,
    access: DeviceAccess,
) -> Result<Vec<Device>, DeviceError> {
    let missing = |source| DeviceError::NotThere {
        path: host.to_path_buf(),
        source,
    };
    let found = fs::metadata(host).map_err(missing)?;
    let as_typed = host.to_string_lossy();
    let place = place.unwrap_or(&as_typed).trim_end_matches('/');
    let mut devices = Vec::new();
    match found.is_dir() {
        true => collect(host, place, access, DEPTH_MAX, &mut devices)?,
        false => devices.extend(device(&found, host, place, access)?),
    }
    match devices.is_empty() {
        true => Err(DeviceError::NotADevice(host.to_path_buf())),
        false => Ok(devices),
    }
}

fn collect(
    folder: &Path,
    place: &str,
    access: DeviceAccess,
    depth: usize,
    devices: &mut Vec<Device>,
) -> Result<(), DeviceError> {
    let failed = |source| DeviceError::NotThere {
        path: folder.to_path_buf(),
        source,
    };
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        names.push(entry.map_err(failed)?.file_name());
    }
    names.sort_unstable();
    for name in names {
        let (Some(text), path) = (name.to_str(), folder.join(&name)) else {
            continue;
        };
        // Links are not followed: there may be circles. One that goes meanwhile is not there.
        let Ok(found) = fs::symlink_metadata(&path) else {
            continue;
        };
        let place = format!("{place}/{text}");
        if is_own(&place) {
            continue;
        }
        match found.is_dir() {
            true if depth > 0 => collect(&path, &place, access, depth - 1, devices)?,
            true => {}
            false => devices.extend(device(&found, &path, &place, access)?),
        }
        if devices.len() > DEVICES_MAX {
            return Err(DeviceError::TooMany(DEVICES_MAX));
        }
    }
    Ok(())
}

/// The device that a file is, if it is one.
fn device(
    file: &Metadata,
    host: &Path,
    place: &str,
    access: DeviceAccess,
) -> Result<Option<Device>, DeviceError> {
    let kind = file.file_type();
    let kind = match (kind.is_char_device(), kind.is_block_device()) {
        (true, _) => DeviceKind::Character,
        (_, true) => DeviceKind::Block,
        _ => return Ok(None),
    };
    // The kernel's own are of 32 bits.
    let number = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    Ok(Some(Device {
        path: place_of(place)?,
        host_path: Some(host.to_path_buf()),
        kind,
        major: number(major(file.rdev())),
        minor: number(minor(file.rdev())),
        file_mode: Some(file.mode() & 0o777),
        uid: file.uid(),
        gid: file.gid(),
        access,
    }))
}

/// Where an app sees a device: below `/dev`, and not in the place of what it has there anyway.
pub(super) fn place_of(text: &str) -> Result<AppPath, DeviceError> {
    let refused = || DeviceError::Place(text.to_owned());
    let below = text.strip_prefix("/dev/").ok_or_else(refused)?;
    let is_plain = |part: &str| !matches!(part, "" | "." | "..");
    if !below.split('/').all(is_plain) || is_own(text) {
        return Err(refused());
    }
    AppPath::try_from(text.to_owned()).map_err(|_| refused())
}

fn is_own(place: &str) -> bool {
    let below = place.strip_prefix("/dev/").unwrap_or_default();
    let first = below.split('/').next().unwrap_or_default();
    OWN.contains(&first) || ALSO_OWN.contains(&first)
}

#[cfg(test)]
mod tests {
    use super::super::request::ALL_ACCESS;
    use super::*;

    #[test]
    fn a_device_is_what_the_host_has_and_goes_below_dev() {
        let null = at(Path::new("/dev/null"), None, ALL_ACCESS).unwrap();
        assert_eq!(null.len(), 1);
        assert_eq!((null[0].major, null[0].minor), (1, 3));
        assert_eq!(null[0].kind, DeviceKind::Character);
        let other = at(Path::new("/dev/null"), Some("/dev/a/b"), ALL_ACCESS).unwrap();
        assert_eq!(other[0].path.as_str(), "/dev/a/b");
        assert_eq!(other[0].host_path.as_deref(), Some(Path::new("/dev/null")));
        for place in [
            "/etc/null",
            "/dev/",
            "/dev/../x",
            "/dev/pts/1",
            "/dev/shm",
            "dev/x",
        ] {
            let refused = at(Path::new("/dev/null"), Some(place), ALL_ACCESS).unwrap_err();
            assert!(
                matches!(refused, DeviceError::Place(_)),
                "{place}: {refused}"
            );
        }
        let missing = at(Path::new("/dev/nothing"), None, ALL_ACCESS).unwrap_err();
        assert!(matches!(missing, DeviceError::NotThere { .. }), "{missing}");
        let folder = tempfile::tempdir().unwrap();
        for path in [folder.path(), Path::new("/etc/passwd")] {
            let refused = at(path, Some("/dev/x"), ALL_ACCESS).unwrap_err();
            assert!(matches!(refused, DeviceError::NotADevice(_)), "{refused}");
        }
    }
}
