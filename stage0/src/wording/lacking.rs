//! What to do where an isolator can't do what a pod needs: by the flags that ask for it.

use pod::feature::Feature;

use crate::arguments::network_variable::NET_VARIABLE;
use crate::arguments::users_variable::USERS_VARIABLE;

/// What helps, if it is more than another isolator.
pub(super) fn remedy(feature: Feature) -> Option<String> {
    let words = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    asked_for(feature, &words.collect::<Vec<_>>(), is_set).or_else(|| usual(feature))
}

/// Several flags that ask for the same, and the variable that does where none of them is there.
fn alternatives(feature: Feature) -> (&'static [&'static str], Option<&'static str>) {
    match feature {
        Feature::Devices => (&["--device", "--device-cgroup-rule"], None),
        Feature::HostNamespaces => (&["--ipc", "--uts", "--cgroupns"], None),
        Feature::HostNetwork => (&["--net", "--network"], Some(NET_VARIABLE)),
        Feature::UserNamespaces => (&["--userns", "--uidmap", "--gidmap"], Some(USERS_VARIABLE)),
        _ => (&[], None),
    }
}

/// What helps against the flags that were typed, or the variable that is set.
fn asked_for(feature: Feature, words: &[String], is_set: impl Fn(&str) -> bool) -> Option<String> {
    let (flags, variable) = alternatives(feature);
    let is_typed = |flag: &&&str| {
        words.iter().any(|word| {
            let rest = word.strip_prefix(**flag);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
        })
    };
    let typed: Vec<&str> = flags.iter().filter(is_typed).copied().collect();
    match (typed.as_slice(), variable) {
        ([], Some(variable)) if is_set(variable) => Some(format!(
            "the variable {variable} asks for it: `{variable}= fairing …` does without"
        )),
        ([], _) => None,
        (typed, _) => Some(format!("leave {} out", typed.join(" and "))),
    }
}

fn usual(feature: Feature) -> Option<String> {
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
            let help = usual(feature).unwrap();
            assert!(help.contains(part), "{help}");
        }
        // Nobody asks for it by a flag.
        assert_eq!(usual(Feature::Stats), None);
    }

    #[test]
    fn only_what_was_asked_is_to_be_left_out() {
        for (feature, words, variable, help) in [
            (
                Feature::UserNamespaces,
                "--uidmap 0:1:2",
                "",
                Some("leave --uidmap out"),
            ),
            (
                Feature::UserNamespaces,
                "--userns=auto",
                USERS_VARIABLE,
                Some("leave --userns out"),
            ),
            (
                Feature::UserNamespaces,
                "run image",
                USERS_VARIABLE,
                Some(
                    "the variable FAIRING_USERNS asks for it: `FAIRING_USERNS= fairing …` does without",
                ),
            ),
            (Feature::UserNamespaces, "run image", NET_VARIABLE, None),
            (
                Feature::HostNetwork,
                "run --networks",
                NET_VARIABLE,
                Some("the variable FAIRING_NET asks for it: `FAIRING_NET= fairing …` does without"),
            ),
            (
                Feature::Devices,
                "--device-cgroup-rule=a",
                "",
                Some("leave --device-cgroup-rule out"),
            ),
            (Feature::Tty, "--tty", "", None),
        ] {
            let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
            let told = asked_for(feature, &words, |name| name == variable);
            assert_eq!(told.as_deref(), help, "{words:?}");
        }
    }
}
