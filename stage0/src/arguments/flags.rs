//! The flags by which a pod is made, as plain tables: where an image's command begins is found out before anything is
//! parsed, and a start should not pay for the definitions twice. A test holds them against the definitions.

/// Whose a flag is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    /// An app's: before or after its image.
    App,
    /// The pod's, or the command's: before the first image.
    Pod,
}

/// A flag that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) owner: Owner,
    /// Whether it takes a value, in the next word unless behind `=`.
    pub(crate) takes_value: bool,
}

/// Flags of every command that take a value. Letters stand for short flags in all of these tables.
pub(crate) const GLOBAL_VALUES: &[&str] = &[
    "dir",
    "run-dir",
    "local-config",
    "system-config",
    "insecure-options",
];
const GLOBAL_SWITCHES: &[&str] = &["debug", "help", "help-all"];

const APP_VALUES: &[&str] = &[
    "app-name",
    "exec",
    "entrypoint",
    "set-env",
    "set-env-file",
    "working-dir",
    "u",
    "w",
    "m",
    "env",
    "e",
    "env-file",
    "user",
    "group",
    "workdir",
    "volume",
    "v",
    "mount",
    "tmpfs",
    "memory",
    "memory-swap",
    "memory-reservation",
    "memory-swappiness",
    "cpus",
    "cpu-quota",
    "cpu-period",
    "cpu-shares",
    "cpuset-cpus",
    "cpuset-mems",
    "pids-limit",
    "blkio-weight",
    "blkio-weight-device",
    "io-weight",
    "device-read-bps",
    "device-write-bps",
    "device-read-iops",
    "device-write-iops",
    "hugetlb",
    "cgroup-conf",
    "device",
    "device-cgroup-rule",
    "systemd",
    "log-driver",
    "log-opt",
    "security-opt",
    "cap-add",
    "cap-drop",
    "caps-retain",
    "cap-retain",
    "caps-remove",
    "cap-remove",
    "seccomp",
    "ulimit",
    "oom-score-adj",
    "group-add",
    "supplementary-gids",
    "umask",
    "stop-signal",
    "unsetenv",
    "pid",
    "annotation",
    "user-annotation",
    "restart",
    "health-cmd",
    "health-http",
    "health-https",
    "health-tcp",
    "health-grpc",
    "health-interval",
    "health-timeout",
    "health-retries",
    "health-start-period",
    "health-start-interval",
    "health-startup-cmd",
    "health-startup-interval",
    "health-startup-timeout",
    "health-startup-retries",
    "health-startup-success",
    "health-on-failure",
    "notify",
    "credential",
];
const APP_SWITCHES: &[&str] = &[
    "tty",
    "t",
    "interactive",
    "i",
    "privileged",
    "read-only",
    "readonly-rootfs",
    "unsetenv-all",
    "init",
    "sidecar",
    "no-healthcheck",
];

/// Switches that may be on by themselves, so that their truth value tells something; it stands behind `=` alone.
const APP_TRUTH_VALUES: &[&str] = &["no-new-privileges", "read-only-tmpfs"];
const POD_TRUTH_VALUES: &[&str] = &["kvm-template"];

const POD_VALUES: &[&str] = &[
    "name",
    "hostname",
    "h",
    "label",
    "l",
    "label-file",
    "net",
    "network",
    "port",
    "publish",
    "p",
    "bandwidth",
    "dns",
    "dns-search",
    "dns-opt",
    "dns-option",
    "hosts-entry",
    "add-host",
    "stop-timeout",
    "cidfile",
    "grace-period",
    "pull",
    "retry",
    "retry-delay",
    "stage1",
    "kvm-kernel",
    "kvm-memory",
    "kvm-cpus",
    "kvm-accel",
    "uuid-file-save",
    "lifetime",
    "on-app-failure",
    "ready-when",
    "sdnotify",
    "timeout",
    "pod-memory",
    "pod-memory-swap",
    "pod-cpus",
    "pod-cpu-shares",
    "pod-cpuset-cpus",
    "pod-cpuset-mems",
    "pod-pids-limit",
    "pod-blkio-weight",
    "pod-log-driver",
    "pod-log-opt",
    "userns",
    "uidmap",
    "gidmap",
    "sysctl",
    "shm-size",
    "cgroup-parent",
    "ipc",
    "uts",
    "cgroupns",
];
const POD_SWITCHES: &[&str] = &[
    "rm",
    "detach",
    "d",
    "start",
    "inherit-env",
    "env-host",
    "replace",
    "publish-all",
    "P",
];

const TABLES: &[(&[&str], Owner, bool)] = &[
    (APP_VALUES, Owner::App, true),
    (APP_SWITCHES, Owner::App, false),
    (APP_TRUTH_VALUES, Owner::App, false),
    (POD_VALUES, Owner::Pod, true),
    (POD_SWITCHES, Owner::Pod, false),
    (POD_TRUTH_VALUES, Owner::Pod, false),
    (GLOBAL_VALUES, Owner::Pod, true),
    (GLOBAL_SWITCHES, Owner::Pod, false),
];

/// Long flags of the pod that programs have, too: after the image they are the program's.
const OF_PROGRAMS: &[&str] = &[
    "name", "hostname", "label", "port", "dns", "pull", "start", "dir", "debug", "help",
];

/// What is known of a flag, named without its dashes.
pub(crate) fn known(name: &str) -> Option<Known> {
    let (_, owner, takes_value) = TABLES.iter().find(|(names, ..)| names.contains(&name))?;
    Some(Known {
        owner: *owner,
        takes_value: *takes_value,
    })
}

/// Whether what a switch is like without being named is not off, so that its truth value is parsed.
pub(crate) fn has_own_truth_value(name: &str) -> bool {
    APP_TRUTH_VALUES.contains(&name) || POD_TRUTH_VALUES.contains(&name)
}

/// Whether a flag of the pod may be meant for the program of an image.
pub(crate) fn is_of_programs(name: &str) -> bool {
    OF_PROGRAMS.contains(&name)
}

/// Whether it is a flag of `app add`, whose words are all about the one app: its place is before or after the image.
pub(crate) fn is_of_joining(name: &str) -> bool {
    name == "start"
}

/// The long flags that begin like words that somebody may have meant.
pub(crate) fn long(owner: Option<Owner>) -> impl Iterator<Item = &'static str> {
    let tables = TABLES.iter().filter(move |(_, of, _)| {
        // Without an owner: all.
        owner.is_none_or(|owner| owner == *of)
    });
    tables
        .flat_map(|(names, ..)| names.iter().copied())
        .filter(|name| name.len() > 1)
}
