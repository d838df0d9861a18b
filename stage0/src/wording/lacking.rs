//! What to do where an isolator can't do what a pod needs: by the flags that ask for it.

use pod::feature::Feature;

/// What helps, if it is more than another isolator.
pub(super) fn remedy(feature: Feature) -> Option<String> {
    Some(match feature {
        Feature::SeveralApps => "run one app in each pod, or leave --stage1 out".to_owned(),
        Feature::Mutable => {
            "apps come and go, and outlive each other's failures, in pods of the usual isolator: leave --stage1 out".to_owned()
        }
        Feature::Networks => {
            "leave --port and --publish-all out: the pod's ports are those of its network".to_owned()
        }
        Feature::VirtualMachine => "--stage1=kvm runs virtual machines".to_owned(),
        feature => format!("leave {} out", flags(feature)?),
    })
}

/// The flags that ask for something.
fn flags(feature: Feature) -> Option<&'static str> {
    Some(match feature {
        Feature::AdditionalGroups => "--group-add",
        Feature::Apparmor => "--security-opt=apparmor=…",
        Feature::Bandwidth => "--bandwidth",
        Feature::BlockIo => "weights and rates of disks (--io-weight, --device-read-bps …)",
        Feature::Capabilities => "--cap-add and --cap-drop",
        Feature::CgroupParent => "--cgroup-parent",
        Feature::Cpuset => "--cpuset-cpus and --cpuset-mems",
        Feature::Credentials => "LoadCredential= and its kin (and --credential)",
        Feature::Deadline => "--timeout",
        Feature::Devices => "--device",
        Feature::GrpcProbes => "--health-grpc",
        Feature::HostNamespaces => "--ipc=host, --uts=host and --cgroupns=host",
        Feature::HostNetwork => "--net=host",
        Feature::HttpsProbes => "--health-https",
        Feature::Hugepages => "limits of huge pages",
        Feature::LogDriver => "--log-driver and --log-opt",
        Feature::MaskedPaths => "--security-opt=mask=… and --security-opt=unmask=…",
        Feature::MemoryReservation => "--memory-reservation",
        Feature::MemorySwap => "--memory-swap",
        Feature::NewPrivileges => "--no-new-privileges=false",
        Feature::Notify => "--ready-when=notified and --notify",
        Feature::OomScoreAdj => "--oom-score-adj",
        Feature::JoinedProcesses => "--pid=app:NAME",
        Feature::PidNamespace => "--pid=private",
        Feature::PodResources => "the limits of the pod (--pod-…)",
        Feature::Privileged => "--privileged",
        Feature::Probes => "--health-cmd, --health-http and --health-tcp",
        Feature::ProcOptions => "--security-opt=proc-opts=…",
        Feature::Readiness => "--ready-when",
        Feature::ReadonlyRoot => "--read-only",
        Feature::Restart => "--restart",
        Feature::Rlimits => "--ulimit",
        Feature::Seccomp => "--seccomp",
        Feature::Selinux => "labels of SELinux",
        Feature::ShmSize => "--shm-size",
        Feature::StartOrder => "--init and --sidecar",
        Feature::Sysctl => "--sysctl",
        Feature::Systemd => "--systemd",
        Feature::Umask => "--umask",
        Feature::UnifiedCgroup => "--cgroup-conf",
        Feature::UserNamespaces => "--userns",
        Feature::WritableCgroups => "--security-opt=writable-cgroups",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_isolator_lacks_is_told_by_the_flag_that_asks_for_it() {
        for (feature, part) in [
            (Feature::ShmSize, "leave --shm-size out"),
            (Feature::PidNamespace, "leave --pid=private out"),
            (Feature::Devices, "leave --device out"),
            (Feature::Restart, "leave --restart out"),
            (Feature::Networks, "--port"),
            (Feature::Mutable, "--stage1"),
            (Feature::SeveralApps, "one app"),
        ] {
            let help = remedy(feature).unwrap();
            assert!(help.contains(part), "{help}");
        }
        // Nobody asks for it by a flag.
        assert_eq!(remedy(Feature::Stats), None);
    }
}
