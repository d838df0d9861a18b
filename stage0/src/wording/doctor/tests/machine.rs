//! A machine that lacks nothing, from which tests take something away.

use std::collections::BTreeMap;
use std::path::PathBuf;

use engine::machine::{
    Availability, Calls, Cgroups, Configuration, Cri, Devices, GuestKernel, Kernel, Machine,
    Modules, Namespaces, Networks, Process, Security, Selinux, Store, VirtualMachines,
};

const KINDS: [&str; 7] = ["cgroup", "ipc", "mnt", "net", "pid", "user", "uts"];

pub(super) fn good() -> Machine {
    let parts = [
        "act_mirred",
        "bridge",
        "cls_u32",
        "macvlan",
        "nf_tables",
        "overlay",
        "tun",
        "veth",
    ];
    let controllers = ["cpu", "cpuset", "hugetlb", "io", "memory", "pids"];
    Machine {
        kernel: Kernel {
            release: "6.12.3-amd64".into(),
            calls: Calls {
                clone3: true,
                openat2: true,
                pidfd: true,
                mount: true,
            },
            namespaces: Namespaces(KINDS.map(|kind| (kind, Some(1000))).into()),
            filesystems: ["overlay", "mqueue"].map(str::to_owned).into(),
            devices: Devices {
                kvm: true,
                kvm_opens: true,
                virtualizes: true,
                tun: true,
            },
            settings: BTreeMap::from([("net.ipv4.ip_forward", "1".to_owned())]),
        },
        modules: Modules(parts.map(|name| (name, Availability::Present)).into()),
        networks: Networks {
            other_fairing: None,
        },
        cgroups: Cgroups {
            version: Some(2),
            controllers: controllers.map(str::to_owned).into(),
            weighs_disks: true,
        },
        security: Security {
            seccomp: true,
            landlock: Some(4),
            apparmor: false,
            selinux: Selinux::Enforcing,
            labels_are_known: true,
        },
        process: Process {
            is_root: true,
            capabilities: Some(u64::MAX),
            descriptors: Some(524_288),
            processes: None,
        },
        store: Store {
            path: PathBuf::from("/var/lib/fairing"),
            filesystem: Some("xfs"),
            free: Some(100 << 30),
            free_files: Some(1_000_000),
            has_quotas: true,
        },
        virtual_machines: VirtualMachines {
            qemu: Some(PathBuf::from("/usr/bin/qemu-system-x86_64")),
            virtiofsd: Some(PathBuf::from("/usr/libexec/virtiofsd")),
            kernel: Ok(GuestKernel {
                image: PathBuf::from("/boot/vmlinuz-6.12.3-amd64"),
                missing: Vec::new(),
                checks_disks: true,
                shares_files: true,
            }),
        },
        configuration: Configuration {
            settings: Ok(1),
            rules: Ok(2),
            registries: Ok(1),
            networks: Ok(1),
            devices: Ok(0),
            stale: 0,
            isolator: Ok(1),
        },
        cri: Some(Cri {
            network: Ok("default".to_owned()),
            broken: Vec::new(),
            handlers: Vec::new(),
            streams: Ok("by TLS"),
            cgroup_lack: None,
            socket: PathBuf::from("/run/fairing/cri.sock"),
            is_listening: true,
            is_enabled: true,
        }),
    }
}

pub(super) fn of_cri(machine: &mut Machine) -> &mut Cri {
    machine.cri.as_mut().unwrap()
}

pub(super) fn of_guest(machine: &mut Machine) -> &mut GuestKernel {
    machine.virtual_machines.kernel.as_mut().unwrap()
}
