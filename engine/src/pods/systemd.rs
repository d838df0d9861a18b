//! Apps whose program is a systemd, as other tools run them: with what it expects to find of a machine.

use std::path::Path;

use pod::manifest::{Mount, MountOption};
use pod::signal::SignalNumber;
use rustix::fs::statfs;

use super::in_memory;
use super::spec::{AppSpec, Systemd};
use crate::error::AppError;
use crate::observer::{Observer, Warning};

/// Programs that are taken for it, beside every one of that name.
const PROGRAMS: [&str; 3] = ["/sbin/init", "/usr/sbin/init", "/usr/local/sbin/init"];
const NAME: &str = "systemd";
/// SIGRTMIN+3: it stops all units, and ends (systemd(1)).
const HALT: i32 = 37;
/// Where cgroups are mounted, and what says that they are those of version 2.
const CGROUPS: &str = "/sys/fs/cgroup";
const CGROUP2_SUPER_MAGIC: i64 = 0x6367_7270;
/// What it would mount itself if it could, and the permission bits of each.
const IN_MEMORY: [(&str, u32); 4] = [
    ("/run", 0o755),
    ("/run/lock", 0o1777),
    ("/tmp", 0o1777),
    ("/var/log/journal", 0o755),
];

/// Whether an app is to be run as systemd is.
///
/// # Errors
/// [`AppError::Systemd`] if somebody has asked for it, and the host can't.
pub(super) fn is_wanted(
    spec: &AppSpec,
    argv: &[String],
    is_in_machine: bool,
    observer: &dyn Observer,
) -> Result<bool, AppError> {
    let looks_so = argv.first().is_some_and(|program| is_systemd(program));
    let image = || spec.image.clone();
    match spec.systemd {
        Systemd::Never => Ok(false),
        Systemd::IfItIs if !looks_so => Ok(false),
        // A machine has a kernel of its own, whose cgroups are of version 2.
        _ if is_in_machine || host_is_unified() => Ok(true),
        Systemd::Always => Err(AppError::Systemd { image: image() }),
        Systemd::IfItIs => {
            observer.warning(Warning::PlainSystemd { image: image() });
            Ok(false)
        }
    }
}

fn is_systemd(program: &str) -> bool {
    let name = Path::new(program).file_name();
    PROGRAMS.contains(&program) || name.is_some_and(|name| name == NAME)
}

fn host_is_unified() -> bool {
    statfs(CGROUPS).is_ok_and(|found| found.f_type == CGROUP2_SUPER_MAGIC)
}

/// The signal that asks it to end, where the image names none.
pub(super) fn stop_signal() -> SignalNumber {
    SignalNumber::try_from(HALT).unwrap_or(SignalNumber::TERM)
}

/// Adds what it expects to be mounted, but where something else is.
pub(super) fn add_mounts(mounts: &mut Vec<Mount>) {
    // Services leave programs there.
    in_memory::add(mounts, &IN_MEMORY, &[MountOption::Exec]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use pod::manifest::AppPath;

    #[test]
    fn it_is_known_by_its_name_and_its_usual_places() {
        for program in [
            "/lib/systemd/systemd",
            "systemd",
            "/sbin/init",
            "/usr/sbin/init",
        ] {
            assert!(is_systemd(program), "{program}");
        }
        for program in ["/bin/init", "init", "/bin/sh", "/usr/bin/systemd-run", ""] {
            assert!(!is_systemd(program), "{program}");
        }
    }

    #[test]
    fn what_is_mounted_already_stays() {
        let mut mounts = Vec::new();
        add_mounts(&mut mounts);
        let places: Vec<_> = mounts
            .iter()
            .map(|mount| mount.destination.as_str())
            .collect();
        assert_eq!(places, ["/run", "/run/lock", "/tmp", "/var/log/journal"]);
        let (first, all) = (mounts.first().unwrap().clone(), mounts.len());
        let mut own = Mount {
            options: vec![MountOption::Noexec],
            ..first
        };
        own.destination = AppPath::try_from("/run/".to_owned()).unwrap();
        let mut mounts = vec![own.clone()];
        add_mounts(&mut mounts);
        assert_eq!((mounts.first(), mounts.len()), (Some(&own), all));
    }

    #[test]
    fn the_stop_signal_is_that_of_the_manual() {
        assert_eq!(stop_signal().number(), 37);
    }
}
