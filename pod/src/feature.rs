//! What an isolator may or may not be able to do: the words of its manifest's feature list.
//!
//! A pod that uses something an isolator doesn't list is refused by that word before anything starts. So a later
//! release can give the pod manifest a field, and no isolator of today ignores it.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! features {
    ($($(#[$doc:meta])* $name:ident = $word:literal,)+) => {
        /// Something that an isolator may or may not be able to do.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Feature {
            $($(#[$doc])* #[serde(rename = $word)] $name,)+
            /// A word of a later release; ignored.
            #[serde(rename = "unknown", other)]
            Unknown,
        }

        impl Feature {
            /// All that this release knows.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// Its word.
            pub fn word(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)+
                    Self::Unknown => "unknown",
                }
            }
        }
    };
}

features! {
    /// Set an app's AppArmor profile.
    Apparmor = "apparmor",
    /// Let a client of the control socket share an app's standard streams.
    Attach = "attach",
    /// Limit what a pod receives from its networks and sends.
    Bandwidth = "bandwidth",
    /// Weigh and throttle an app's block devices.
    BlockIo = "block-io",
    /// Give an app other capabilities than the default ones.
    Capabilities = "capabilities",
    /// Put the pod's cgroups below a given one.
    CgroupParent = "cgroup-parent",
    /// Hand credentials of a service manager to apps.
    Credentials = "credentials",
    /// Bind an app to processors and memory nodes.
    Cpuset = "cpuset",
    /// End a pod that has run for as long as it may.
    Deadline = "deadline",
    /// Give an app devices of the host.
    Devices = "devices",
    /// Run a command inside of a running app.
    Exec = "exec",
    /// Give an app groups beside those of its user.
    AdditionalGroups = "additional-groups",
    /// Ask the health service of gRPC of an app.
    GrpcProbes = "grpc-probes",
    /// Call a hook after an app's start or before its end.
    Hooks = "hooks",
    /// Share the host's IPC, its host name, or its view of cgroups.
    HostNamespaces = "host-namespaces",
    /// Share the host's network.
    HostNetwork = "host-network",
    /// Run apps among the host's processes.
    HostPids = "host-pids",
    /// Send a probe's request over TLS.
    HttpsProbes = "https-probes",
    /// Limit an app's huge pages.
    Hugepages = "hugepages",
    /// Run an app in the pid namespace of another one.
    JoinedProcesses = "joined-processes",
    /// Keep an app's log elsewhere than in its usual file, or in one of another size.
    LogDriver = "log-driver",
    /// Write an app's log to a given file.
    LogPath = "log-path",
    /// Hide other paths from an app than the default ones.
    MaskedPaths = "masked-paths",
    /// Reserve memory for an app.
    MemoryReservation = "memory-reservation",
    /// Let an app swap, within a limit or without one.
    MemorySwap = "memory-swap",
    /// Mount volumes and file systems in an app.
    Mounts = "mounts",
    /// Add, start, stop and remove apps of a running pod, which may have none, and lives on when one fails.
    Mutable = "mutable",
    /// Join networks, and lead ports of the host to the pod.
    Networks = "networks",
    /// Let an app gain privileges by executing a program.
    NewPrivileges = "new-privileges",
    /// Let apps say that they are ready (sd_notify(3)).
    Notify = "notify",
    /// Set how soon the kernel kills an app when memory is short.
    OomScoreAdj = "oom-score-adj",
    /// Freeze an app and thaw it.
    Pause = "pause",
    /// Run an app as process 1 of a pid namespace of its own.
    PidNamespace = "pid-namespace",
    /// Tell apps the addresses of the pod in their arguments and variables.
    PodAddresses = "pod-addresses",
    /// Run an app without what else confines it.
    Privileged = "privileged",
    /// Limit all apps of a pod together: also on which processors, and its block devices.
    PodResources = "pod-resources",
    /// Probe whether an app has started, is ready, is alive.
    Probes = "probes",
    /// Mount an app's `/proc` with options.
    ProcOptions = "proc-options",
    /// Count a pod as ready only when its apps are.
    Readiness = "readiness",
    /// Make an app's root filesystem read-only.
    ReadonlyRoot = "read-only-root",
    /// Guard other paths against writing than the default ones.
    ReadonlyPaths = "readonly-paths",
    /// Open an app's log anew.
    ReopenLog = "reopen-log",
    /// Limit an app's memory, processor time and processes.
    Resources = "resources",
    /// Start an app again that has ended.
    Restart = "restart",
    /// Start an app again, or all of them, after some exit codes.
    RestartRules = "restart-rules",
    /// Set an app's resource limits (setrlimit(2)).
    Rlimits = "rlimits",
    /// Filter an app's system calls by another profile than the default one.
    Seccomp = "seccomp",
    /// Set an app's SELinux label.
    Selinux = "selinux",
    /// Run several apps in a pod. What isolates can, whether it says so or not.
    SeveralApps = "several-apps",
    /// Choose the size of the shared memory of a pod.
    ShmSize = "shm-size",
    /// Hand sockets of a service manager to apps.
    SocketActivation = "socket-activation",
    /// Start apps one after the other, and end them in order.
    StartOrder = "start-order",
    /// Tell what an app uses.
    Stats = "stats",
    /// Close an app's standard input when the first client that attached to it has gone.
    StdinOnce = "stdin-once",
    /// Set kernel parameters of the pod.
    Sysctl = "sysctl",
    /// Run systemd as an app: process 1 of a pid namespace of its own, with cgroups to manage.
    Systemd = "systemd",
    /// Take an app's last words from a file.
    TerminationMessage = "termination-message",
    /// Give an app a pseudo-terminal.
    Tty = "tty",
    /// Set an app's file mode creation mask.
    Umask = "umask",
    /// Set files of the unified cgroup hierarchy by name.
    UnifiedCgroup = "unified-cgroup",
    /// Change the limits of a running app.
    Update = "update",
    /// Run the pod in a user namespace of its own.
    UserNamespaces = "user-namespaces",
    /// Run the pod in a virtual machine, with a kernel, memory and processors of its own.
    VirtualMachine = "virtual-machine",
    /// Give the pod storage that its apps share.
    Volumes = "volumes",
    /// Let an app make cgroups below its own.
    WritableCgroups = "writable-cgroups",
}

impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feature_is_written_and_read_as_its_word() {
        for &feature in Feature::ALL {
            let json = serde_json::to_string(&feature).unwrap();
            assert_eq!(json, format!("\"{}\"", feature.word()));
            assert_eq!(json, format!("\"{feature}\""));
            assert_eq!(serde_json::from_str::<Feature>(&json).unwrap(), feature);
        }
        let later: Feature = serde_json::from_str("\"time-travel\"").unwrap();
        assert_eq!(later, Feature::Unknown);
    }
}
