//! The kernel: without what is an error here, no pod runs.

use engine::machine::{Availability, Machine, Process};

use super::area::Area;
use super::area::Severity::{Error, Note, Warning};

/// The oldest kernel that is supported.
const OLDEST: (u32, u32) = (6, 1);
/// What a monitor needs for itself and a few apps.
const DESCRIPTORS_LEAST: u64 = 1024;
/// By their numbers (capabilities(7)), what pods are made with.
const CAPABILITIES: [(u32, &str); 9] = [
    (0, "CAP_CHOWN"),
    (1, "CAP_DAC_OVERRIDE"),
    (3, "CAP_FOWNER"),
    (5, "CAP_KILL"),
    (6, "CAP_SETGID"),
    (7, "CAP_SETUID"),
    (12, "CAP_NET_ADMIN"),
    (21, "CAP_SYS_ADMIN"),
    (27, "CAP_MKNOD"),
];
const SYS_RESOURCE: u32 = 24;

pub(super) fn checks(machine: &Machine) -> Area {
    let mut area = Area::new("kernel");
    let kernel = &machine.kernel;
    let shown = format!("Linux {}", kernel.release);
    match version(&kernel.release) >= Some(OLDEST) {
        true => area.fine("version", shown),
        false => area.lacks(
            "version",
            Error,
            shown,
            "Linux 6.1 is the oldest that is supported",
        ),
    }
    let calls = kernel.calls;
    for (name, is_there) in [
        ("clone3", calls.clone3),
        ("openat2", calls.openat2),
        ("pidfd_open", calls.pidfd),
        ("fsopen", calls.mount),
    ] {
        area.either(
            name,
            is_there,
            Error,
            "pods are made with it; a filter around this process may refuse it",
        );
    }
    for (kind, most) in &kernel.namespaces.0 {
        let subject = format!("{kind} namespaces");
        let (severity, meaning) = match *kind {
            "user" => (
                Warning,
                "root in pods is root on the host, as with --userns=host; see user.max_user_namespaces",
            ),
            _ => (
                Error,
                "each pod has some of its own; see sysctl user.max_*_namespaces",
            ),
        };
        match most {
            None => area.lacks(&subject, severity, "none", meaning),
            Some(0) => area.lacks(&subject, severity, "forbidden by a setting", meaning),
            Some(_) => area.fine(&subject, "yes"),
        }
    }
    let has = |name: &str| kernel.filesystems.iter().any(|known| known == name);
    let overlay = has("overlay") || machine.modules.get("overlay") != Availability::Unseen;
    area.either(
        "overlayfs",
        overlay,
        Error,
        "root filesystems of apps are made of it",
    );
    area.either(
        "mqueue",
        has("mqueue"),
        Error,
        "each pod has message queues",
    );
    rights(&mut area, &machine.process);
    if let Some("1") = kernel.settings.get("fs.suid_dumpable").map(String::as_str) {
        area.lacks(
            "fs.suid_dumpable",
            Warning,
            "1",
            "for a moment, who becomes another user can be traced by that user: 0 and 2 are safe",
        );
    }
    area
}

fn rights(area: &mut Area, process: &Process) {
    area.either("root", process.is_root, Error, "only root can run pods");
    let Some(held) = process.capabilities.filter(|_| process.is_root) else {
        return;
    };
    let lacks = |number: u32| held & (1 << number) == 0;
    let missing: Vec<&str> = CAPABILITIES
        .iter()
        .filter(|(number, _)| lacks(*number))
        .map(|(_, name)| *name)
        .collect();
    match missing.is_empty() {
        true => area.fine("capabilities", "all that pods are made with"),
        false => area.lacks(
            "capabilities",
            Error,
            format!("without {}", missing.join(", ")),
            "this root is confined, as in a container: pods need these",
        ),
    }
    if lacks(SYS_RESOURCE) {
        area.lacks(
            "CAP_SYS_RESOURCE",
            Note,
            "no",
            "limits can't be raised for apps, nor oom_score_adj lowered",
        );
    }
    match process.descriptors {
        Some(most) if most < DESCRIPTORS_LEAST => area.lacks(
            "descriptors",
            Warning,
            most.to_string(),
            "pods with many apps need more: raise the limit (ulimit -n, LimitNOFILE=)",
        ),
        Some(most) => area.fine("descriptors", most.to_string()),
        None => area.fine("descriptors", "no limit"),
    }
}

/// Major and minor number of a release.
fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release
        .split(|c: char| !c.is_ascii_digit())
        .map_while(|number| number.parse().ok());
    Some((numbers.next()?, numbers.next()?))
}
