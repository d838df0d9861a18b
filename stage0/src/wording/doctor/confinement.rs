//! What keeps apps within their bounds: cgroups, filters, security modules.

use engine::machine::{Machine, Selinux};

use super::area::Area;
use super::area::Severity::{Error, Note, Warning};

/// Controllers, how much it is without one, and what that means.
const CONTROLLERS: [(&str, super::area::Severity, &str); 6] = [
    (
        "memory",
        Warning,
        "--memory is refused, and apps can take all memory of the host",
    ),
    (
        "pids",
        Warning,
        "--pids-limit is refused, and nothing stops an app that forks without end",
    ),
    ("cpu", Warning, "--cpus and --cpu-shares are refused"),
    ("cpuset", Note, "apps can't be bound to processors"),
    ("io", Note, "apps can't be throttled at disks"),
    (
        "hugetlb",
        Note,
        "huge pages can't be limited: --hugetlb is refused",
    ),
];

pub(super) fn checks(machine: &Machine) -> Area {
    let mut area = Area::new("confinement");
    let cgroups = &machine.cgroups;
    match cgroups.version {
        Some(version) => area.fine("cgroups", format!("version {version}")),
        None => area.lacks(
            "cgroups",
            Warning,
            "none",
            "there are no limits, and no `pause`; mount them at /sys/fs/cgroup",
        ),
    }
    if cgroups.version.is_some() {
        for (name, severity, meaning) in CONTROLLERS {
            let subject = format!("controller {name}");
            area.either(
                &subject,
                cgroups.controllers.contains(name),
                severity,
                meaning,
            );
        }
    }
    if cgroups.controllers.contains("io") {
        match cgroups.weighs_disks {
            true => area.fine("weights for disks", "count at some"),
            false => area.lacks(
                "weights for disks",
                Note,
                "no disk has the scheduler bfq, or an I/O cost model",
                "--blkio-weight counts for nothing, and --blkio-weight-device is refused; \
                 `echo bfq > /sys/block/DISK/queue/scheduler` chooses it",
            ),
        }
    }
    let security = machine.security;
    area.either(
        "seccomp",
        security.seccomp,
        Error,
        "system calls of apps can't be filtered; --insecure-options=seccomp does without",
    );
    match security.landlock {
        Some(version) => area.fine("Landlock", format!("version {version}")),
        None => area.lacks(
            "Landlock",
            Note,
            "no",
            "who takes over QEMU can open what any user of this host can",
        ),
    }
    match security.apparmor {
        true => area.lacks(
            "AppArmor",
            Note,
            "enabled",
            "apps get the profile that --security-opt apparmor=PROFILE names, and none else",
        ),
        false => area.fine("AppArmor", "disabled"),
    }
    if !security.labels_are_known {
        area.lacks(
            "labels of SELinux",
            Error,
            "the policy knows none for containers",
            "no app starts without --security-opt label=disable: install such a policy (container-selinux), or see [selinux] in config.toml",
        );
    }
    match security.selinux {
        Selinux::Disabled => area.fine("SELinux", "disabled"),
        Selinux::Enforcing => area.fine("SELinux", "enforcing: apps and their files get labels"),
        Selinux::Permissive => area.lacks(
            "SELinux",
            Note,
            "permissive",
            "apps and their files get labels, and nothing is refused for them",
        ),
    }
    area
}
