//! The kernel: its version, its calls, its namespaces, and devices that it has for virtual machines and tunnels.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};
use rustix::mount::{FsOpenFlags, fsopen};
use rustix::process::{PidfdFlags, getpid, pidfd_open};
use rustix::system::uname;

use crate::sys;

/// What the kernel is and has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kernel {
    /// Its release, such as `6.12.3-amd64`.
    pub release: String,
    /// Which of the calls it answers that pods need.
    pub calls: Calls,
    /// Its namespaces.
    pub namespaces: Namespaces,
    /// Filesystems that it has or has loaded.
    pub filesystems: Vec<String>,
    /// Its devices.
    pub devices: Devices,
    /// Settings of sysctl(8) that matter, by their names.
    pub settings: BTreeMap<&'static str, String>,
}

/// Calls that older kernels lack, and that a filter around this process may refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Calls {
    /// clone3(2).
    pub clone3: bool,
    /// openat2(2).
    pub openat2: bool,
    /// pidfd_open(2).
    pub pidfd: bool,
    /// fsopen(2), fsmount(2) and the like.
    pub mount: bool,
}

/// The namespaces that pods are made of: how many there may be, by their words in `/proc/sys/user`; `None` if the kernel has
/// none of that kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Namespaces(pub BTreeMap<&'static str, Option<u64>>);

/// Devices that not every machine has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Devices {
    /// `/dev/kvm` is there.
    pub kvm: bool,
    /// It can be opened.
    pub kvm_opens: bool,
    /// The processors have what it needs to run guests.
    pub virtualizes: bool,
    /// `/dev/net/tun` can be opened.
    pub tun: bool,
}

const KINDS: [(&str, &str); 7] = [
    ("cgroup", "cgroup"),
    ("ipc", "ipc"),
    ("mnt", "mnt"),
    ("net", "net"),
    ("pid", "pid"),
    ("user", "user"),
    ("uts", "uts"),
];

const SETTINGS: [(&str, &str); 3] = [
    ("fs.suid_dumpable", "fs/suid_dumpable"),
    ("kernel.pid_max", "kernel/pid_max"),
    ("net.ipv4.ip_forward", "net/ipv4/ip_forward"),
];

impl Kernel {
    pub(super) fn read() -> Self {
        let filesystems = fs::read_to_string("/proc/filesystems").unwrap_or_default();
        let settings = SETTINGS.into_iter().filter_map(|(name, path)| {
            let text = fs::read_to_string(format!("/proc/sys/{path}")).ok()?;
            Some((name, text.trim().to_owned()))
        });
        Self {
            release: uname().release().to_string_lossy().into_owned(),
            calls: Calls::read(),
            namespaces: Namespaces::read(),
            filesystems: filesystems
                .lines()
                .filter_map(|line| line.split_whitespace().last())
                .map(str::to_owned)
                .collect(),
            devices: Devices::read(),
            settings: settings.collect(),
        }
    }
}

impl Calls {
    fn read() -> Self {
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let opened = openat2(CWD, ".", flags, Mode::empty(), ResolveFlags::empty());
        Self {
            clone3: sys::answers_clone3(),
            openat2: opened.is_ok(),
            pidfd: pidfd_open(getpid(), PidfdFlags::empty()).is_ok(),
            mount: fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC).is_ok(),
        }
    }
}

impl Namespaces {
    fn read() -> Self {
        let of_kind = |(kind, name)| {
            let exists = fs::symlink_metadata(format!("/proc/self/ns/{name}")).is_ok();
            let most = fs::read_to_string(format!("/proc/sys/user/max_{kind}_namespaces"));
            let most = most.ok().and_then(|text| text.trim().parse().ok());
            (kind, exists.then(|| most.unwrap_or(u64::MAX)))
        };
        Self(KINDS.into_iter().map(of_kind).collect())
    }
}

impl Devices {
    fn read() -> Self {
        let opens = |path: &str| OpenOptions::new().read(true).write(true).open(path).is_ok();
        let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        Self {
            kvm: fs::symlink_metadata("/dev/kvm").is_ok(),
            kvm_opens: opens("/dev/kvm"),
            virtualizes: virtualizes(&processors),
            tun: opens("/dev/net/tun"),
        }
    }
}

/// Whether a first processor of `/proc/cpuinfo` runs guests by itself. Another kernel's emulation may lend out a device
/// without that.
fn virtualizes(processors: &str) -> bool {
    let flags = processors.lines().find(|line| line.starts_with("flags"));
    let mut words = flags.into_iter().flat_map(str::split_whitespace);
    words.any(|word| matches!(word, "vmx" | "svm"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_tell_whether_they_run_guests() {
        assert!(virtualizes("processor : 0\nflags\t\t: fpu vmx sse\n"));
        assert!(virtualizes("flags : svm"));
        assert!(!virtualizes("model name : vmx\nflags : fpu vmxnet"));
        assert!(!virtualizes(""));
    }

    #[test]
    fn this_kernel_answers_what_pods_need() {
        let calls = Calls::read();
        assert!(calls.clone3 && calls.openat2 && calls.pidfd, "{calls:?}");
    }
}
