//! Which of the host's files the program that runs a machine can open, where the kernel has Landlock: its own, and what it is
//! given. What it has open already it keeps.

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, OFlags, fcntl_getfl, fstat, openat};
use rustix::io::Errno;
use stage1::failure::StartFailure;

use crate::sys::{landlock_allow, landlock_ruleset, landlock_version};

/// Rights over files, by their bits.
const EXECUTE: u64 = 1 << 0;
const WRITE_FILE: u64 = 1 << 1;
const READ_FILE: u64 = 1 << 2;
const READ_DIR: u64 = 1 << 3;
const TRUNCATE: u64 = 1 << 14;
const IOCTL_DEV: u64 = 1 << 15;

/// Where programs and their firmware find what belongs to them.
const PACKAGES: [&str; 8] = [
    "/lib",
    "/lib32",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/usr/share",
    "/nix/store",
    "/gnu/store",
];
/// Which libraries there are.
const LIBRARIES: &str = "/etc/ld.so.cache";
/// Where a program is that is no package's: what belongs to it is beside its directory.
const USUAL: [&str; 3] = ["/", "/usr", "/nix/store"];

/// All rights of which this version of Landlock knows.
fn known(version: u32) -> u64 {
    let bits = match version {
        0 => 0,
        1 => 13,
        2 => 14,
        3 | 4 => 15,
        _ => 16,
    };
    (1 << bits) - 1
}

/// The rules for a program that is given these descriptors and uses these devices; `None` where the kernel has none.
///
/// # Errors
/// If they can't be made.
pub(crate) fn rules(
    program: &Path,
    given: &[OwnedFd],
    devices: &[&str],
) -> Result<Option<OwnedFd>, StartFailure> {
    let handled = known(landlock_version());
    if handled == 0 {
        return Ok(None);
    }
    let failed = || StartFailure::os::<Errno>("bound the files of the machine's program");
    let ruleset = landlock_ruleset(handled).map_err(failed())?;
    let allow = |file: &OwnedFd, rights: u64| {
        landlock_allow(ruleset.as_fd(), file.as_fd(), rights & handled).map_err(failed())
    };
    let allow_path = |path: &Path, rights: u64| {
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        match openat(CWD, path, flags, Mode::empty()) {
            Ok(file) => allow(&file, rights),
            // There are other places on other hosts.
            Err(_) => Ok(()),
        }
    };
    for directory in PACKAGES.iter().map(PathBuf::from).chain(prefix(program)) {
        allow_path(&directory, EXECUTE | READ_FILE | READ_DIR)?;
    }
    allow_path(program, EXECUTE | READ_FILE)?;
    allow_path(Path::new(LIBRARIES), READ_FILE)?;
    for device in devices {
        allow_path(Path::new(device), READ_FILE | WRITE_FILE | IOCTL_DEV)?;
    }
    for file in given {
        // It opens some of them again, by their numbers.
        let kind = fstat(file).map_err(failed())?.st_mode;
        if FileType::from_raw_mode(kind) == FileType::RegularFile {
            let flags = fcntl_getfl(file).map_err(failed())?;
            let rights = match flags.intersection(OFlags::RWMODE) {
                OFlags::RDONLY => READ_FILE,
                _ => READ_FILE | WRITE_FILE | TRUNCATE,
            };
            match allow(file, rights) {
                // One in memory alone is nobody's path.
                Err(_) if is_nowhere(file) => {}
                other => other?,
            }
        }
    }
    Ok(Some(ruleset))
}

/// Whether a file has no name.
fn is_nowhere(file: &OwnedFd) -> bool {
    fstat(file).is_ok_and(|stat| stat.st_nlink == 0)
}

/// Where the rest of a program is that was not installed where packages are.
fn prefix(program: &Path) -> Option<PathBuf> {
    let prefix = program.parent()?.parent()?;
    let is_usual = USUAL.iter().any(|usual| prefix == Path::new(usual));
    (!is_usual && prefix.parent().is_some()).then(|| prefix.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_of_its_own_directory_has_what_is_beside_it_and_one_of_a_package_has_not() {
        let beside = |path: &str| prefix(Path::new(path));
        assert_eq!(beside("/usr/bin/qemu"), None);
        assert_eq!(beside("/qemu"), None);
        assert_eq!(beside("/bin/qemu"), None);
        assert_eq!(beside("/opt/qemu/bin/qemu"), Some("/opt/qemu".into()));
    }

    #[test]
    fn a_kernel_is_asked_for_no_right_that_it_does_not_know() {
        assert_eq!(known(0), 0);
        assert_eq!(known(1), 0x1fff);
        assert_eq!(known(3) & TRUNCATE, TRUNCATE);
        assert_eq!(known(4) & IOCTL_DEV, 0);
        assert_eq!(known(7) & IOCTL_DEV, IOCTL_DEV);
    }
}
