//! What each fact means, one change after the other to a machine that lacks nothing.

mod machine;

use engine::machine::{Availability, Selinux};

use self::machine::{good, of_cri, of_guest};
use super::area::Severity::{Error, Fine, Note, Warning};
use super::*;

#[test]
fn a_machine_that_lacks_nothing_is_fine() {
    let all = checks(&good());
    let other = all.iter().find(|check| check.severity != Fine);
    assert_eq!(other, None);
    assert!(all.iter().all(|check| check.meaning.is_none()));
    assert!(all.len() > 30, "{}", all.len());
}

#[test]
fn what_is_missing_is_told_with_what_it_means() {
    type Change = fn(&mut Machine);
    let cases: &[(Change, &str, Severity, &str)] = &[
        (
            |m| of_cri(m).network = Err("none is there".into()),
            "network",
            Warning,
            "the node is not ready",
        ),
        (
            |m| of_cri(m).broken = vec!["x.conflist is torn".into()],
            "network",
            Note,
            "passed over",
        ),
        (
            |m| of_cri(m).handlers = vec![("vm".into(), "no isolator".into())],
            "runtime handler \"vm\"",
            Warning,
            "no sandbox of this handler",
        ),
        (
            |m| of_cri(m).streams = Err("no key".into()),
            "streams",
            Warning,
            "does not start",
        ),
        (
            |m| of_cri(m).cgroup_lack = Some("no systemd"),
            "cgroup driver",
            Warning,
            "no sandbox starts",
        ),
        (
            |m| of_cri(m).is_listening = false,
            "socket",
            Warning,
            "find no runtime",
        ),
        (
            |m| {
                of_cri(m).is_listening = false;
                of_cri(m).is_enabled = false;
            },
            "socket",
            Note,
            "systemctl enable",
        ),
        (
            |m| m.kernel.release = "5.15.0".into(),
            "version",
            Error,
            "6.1",
        ),
        (
            |m| m.kernel.release = "strange".into(),
            "version",
            Error,
            "6.1",
        ),
        (|m| m.kernel.calls.clone3 = false, "clone3", Error, "filter"),
        (
            |m| m.kernel.calls.openat2 = false,
            "openat2",
            Error,
            "filter",
        ),
        (
            |m| m.kernel.calls.pidfd = false,
            "pidfd_open",
            Error,
            "filter",
        ),
        (|m| m.kernel.calls.mount = false, "fsopen", Error, "filter"),
        (
            |m| {
                m.kernel.namespaces.0.insert("user", Some(0));
            },
            "user namespaces",
            Warning,
            "--userns=host",
        ),
        (
            |m| {
                m.kernel.namespaces.0.insert("user", None);
            },
            "user namespaces",
            Warning,
            "--userns=host",
        ),
        (
            |m| {
                m.kernel.namespaces.0.insert("net", Some(0));
            },
            "net namespaces",
            Error,
            "sysctl",
        ),
        (
            |m| {
                m.kernel.filesystems.retain(|name| name != "overlay");
                m.modules.0.insert("overlay", Availability::Unseen);
            },
            "overlayfs",
            Error,
            "root filesystems",
        ),
        (|m| m.kernel.filesystems.clear(), "mqueue", Error, "queues"),
        (|m| m.process.is_root = false, "root", Error, "only root"),
        (
            |m| m.process.capabilities = Some(!(1 << 21)),
            "capabilities",
            Error,
            "as in a container",
        ),
        (
            |m| m.process.capabilities = Some(!(1 << 24)),
            "CAP_SYS_RESOURCE",
            Note,
            "limits",
        ),
        (
            |m| m.process.descriptors = Some(256),
            "descriptors",
            Warning,
            "LimitNOFILE",
        ),
        (
            |m| {
                m.kernel.settings.insert("fs.suid_dumpable", "1".into());
            },
            "fs.suid_dumpable",
            Warning,
            "traced",
        ),
        (
            |m| m.kernel.devices.virtualizes = false,
            "/dev/kvm",
            Note,
            "translates",
        ),
        (
            |m| m.kernel.devices.kvm_opens = false,
            "/dev/kvm",
            Note,
            "translates",
        ),
        (
            |m| m.kernel.devices.kvm = false,
            "/dev/kvm",
            Note,
            "translates",
        ),
        (
            |m| m.kernel.devices.tun = false,
            "/dev/net/tun",
            Note,
            "tunnels",
        ),
        (
            |m| m.cgroups.version = None,
            "cgroups",
            Warning,
            "no limits",
        ),
        (
            |m| {
                m.cgroups.controllers.remove("memory");
            },
            "controller memory",
            Warning,
            "--memory",
        ),
        (
            |m| {
                m.cgroups.controllers.remove("cpuset");
            },
            "controller cpuset",
            Note,
            "processors",
        ),
        (
            |m| {
                m.cgroups.controllers.remove("hugetlb");
            },
            "controller hugetlb",
            Note,
            "--hugetlb",
        ),
        (
            |m| m.cgroups.weighs_disks = false,
            "weights for disks",
            Note,
            "--blkio-weight",
        ),
        (|m| m.virtual_machines.qemu = None, "QEMU", Note, "kvm"),
        (
            |m| m.virtual_machines.virtiofsd = None,
            "virtiofsd",
            Note,
            "volumes",
        ),
        (
            |m| {
                m.virtual_machines.virtiofsd = Some("/usr/lib/qemu/virtiofsd".into());
                m.process.descriptors = Some(4096);
                m.process.capabilities = Some(!(1 << 24));
            },
            "virtiofsd",
            Note,
            "open files",
        ),
        (
            |m| m.virtual_machines.kernel = Err("none".into()),
            "guest kernel",
            Note,
            "no pod runs with --stage1=kvm",
        ),
        (
            |m| of_guest(m).missing = vec!["erofs"],
            "guest kernel",
            Note,
            "no pod runs in it",
        ),
        (
            |m| of_guest(m).checks_disks = false,
            "dm-verity in guests",
            Note,
            "integrity",
        ),
        (
            |m| of_guest(m).shares_files = false,
            "virtiofs in guests",
            Note,
            "volumes",
        ),
        (
            |m| {
                m.modules.0.insert("act_mirred", Availability::Unseen);
            },
            "tc-mirred",
            Note,
            "networks",
        ),
        (
            |m| m.security.seccomp = false,
            "seccomp",
            Error,
            "--insecure-options",
        ),
        (
            |m| m.security.landlock = None,
            "Landlock",
            Note,
            "takes over QEMU",
        ),
        (|m| m.security.apparmor = true, "AppArmor", Note, "profile"),
        (
            |m| m.security.labels_are_known = false,
            "labels of SELinux",
            Error,
            "container-selinux",
        ),
        (
            |m| m.security.selinux = Selinux::Permissive,
            "SELinux",
            Note,
            "nothing is refused",
        ),
        (
            |m| {
                m.modules.0.insert("veth", Availability::Unseen);
            },
            "veth",
            Warning,
            "--net=host",
        ),
        (|m| m.modules.0.clear(), "macvlan", Note, "macvlan"),
        (
            |m| m.networks.other_fairing = Some("/x/cni".into()),
            "other fairings",
            Warning,
            "--net=host",
        ),
        (
            |m| {
                m.kernel.settings.insert("net.ipv4.ip_forward", "0".into());
            },
            "net.ipv4.ip_forward",
            Note,
            "it is set",
        ),
        (
            |m| m.kernel.settings.clear(),
            "net.ipv4.ip_forward",
            Warning,
            "IPv4",
        ),
        (
            |m| m.store.filesystem = Some("nfs"),
            "filesystem",
            Error,
            "--dir",
        ),
        (
            |m| m.store.filesystem = Some("fuse"),
            "filesystem",
            Warning,
            "--userns=host",
        ),
        (
            |m| m.store.filesystem = Some("tmpfs"),
            "filesystem",
            Warning,
            "gone",
        ),
        (|m| m.store.filesystem = None, "filesystem", Note, "shows"),
        (|m| m.store.free = Some(1 << 20), "room", Error, "more"),
        (
            |m| m.store.free = Some(512 << 20),
            "room",
            Warning,
            "image gc",
        ),
        (|m| m.store.free = None, "room", Note, "tell"),
        (|m| m.store.free_files = Some(9), "files", Warning, "image"),
        (
            |m| m.store.has_quotas = false,
            "project quotas",
            Note,
            "--size",
        ),
        (
            |m| m.configuration.settings = Err("line 3".into()),
            "config.toml",
            Error,
            "nothing starts",
        ),
        (
            |m| m.configuration.rules = Ok(0),
            "rules of trust",
            Warning,
            "trust add",
        ),
        (
            |m| m.configuration.rules = Err("torn".into()),
            "rules of trust",
            Error,
            "nothing starts",
        ),
        (
            |m| m.configuration.registries = Err("x".into()),
            "registries",
            Error,
            "fetched",
        ),
        (
            |m| m.configuration.networks = Err("x".into()),
            "networks",
            Error,
            "--net=host",
        ),
        (
            |m| m.configuration.devices = Err("x.yaml: line 3".into()),
            "descriptions of devices",
            Warning,
            "that this file describes; others do",
        ),
        (
            |m| m.configuration.stale = 3,
            "networks of dead pods",
            Note,
            "network gc",
        ),
        (
            |m| m.configuration.isolator = Err("x".into()),
            "isolator",
            Error,
            "--stage1",
        ),
    ];
    for (change, subject, severity, part) in cases {
        let mut machine = good();
        change(&mut machine);
        let all = checks(&machine);
        let found = all
            .iter()
            .find(|check| check.subject == *subject && check.severity != Fine);
        let found = found.unwrap_or_else(|| panic!("{subject} is fine"));
        assert_eq!(found.severity, *severity, "{found:?}");
        let meaning = found.meaning.as_deref().unwrap();
        assert!(meaning.contains(part), "{subject}: {meaning}");
    }
}

#[test]
fn what_is_loaded_when_it_is_needed_is_fine() {
    let mut machine = good();
    for availability in machine.modules.0.values_mut() {
        *availability = Availability::Loadable;
    }
    machine.kernel.filesystems.retain(|name| name != "overlay");
    machine.security.selinux = Selinux::Disabled;
    machine.store.free_files = None;
    machine.process.descriptors = None;
    assert!(checks(&machine).iter().all(|check| check.severity == Fine));
}
