//! A host, hosts around it, and pods: network namespaces that are gone when the test is.

use std::os::fd::{AsFd, AsRawFd};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use cni_glue::attach::{AttachRequest, Attached, Attacher};
use cni_glue::bandwidth::{Bandwidth, BandwidthSpec};
use cni_glue::config::{ConfigFolder, Selection};
use cni_glue::id::ContainerId;
use cni_glue::names::DnsOptions;
use cni_glue::ports::{PortMapping, PortSpec};
use cni_glue::runtime::AfterFailure;
use cni_glue::runtime::{PluginFolders, Runtime};
use cni_glue::{Netns, NetworkError};
use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, setsockopt,
    socket, sockopt,
};
use nix::sys::time::TimeVal;

/// The address of the host towards the outside.
pub(crate) const HOST_V4: &str = "192.0.2.1";
/// As [`HOST_V4`].
pub(crate) const HOST_V6: &str = "2001:db8::1";
/// A computer outside, which knows no way to any pod.
pub(crate) const OUTSIDE_V4: &str = "192.0.2.2";
/// As [`OUTSIDE_V4`].
pub(crate) const OUTSIDE_V6: &str = "2001:db8::2";

/// Runs a command and fails the test if it fails. What it wrote.
pub(crate) fn sh(command: &str) -> String {
    let output = Command::new("/bin/sh")
        .args(["-ec", command])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{command}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Does something in a namespace, in a thread of its own.
pub(crate) fn within<T: Send>(netns: &Netns, action: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            nix::sched::setns(netns, CloneFlags::CLONE_NEWNET).unwrap();
            action()
        });
        match thread.join() {
            Ok(value) => value,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

/// The host, which the calling thread is on, and a computer outside.
pub(crate) struct Lab {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) attacher: Attacher,
    pub(crate) outside: Netns,
}

/// A pod in its networks.
pub(crate) struct Pod {
    pub(crate) id: ContainerId,
    pub(crate) netns: Netns,
    pub(crate) attached: Attached,
}

impl Pod {
    /// Its first address of that family.
    pub(crate) fn address(&self, ipv4: bool) -> String {
        let mut addresses = self.attached.status.addresses();
        addresses
            .find(|ip| ip.is_ipv4() == ipv4)
            .unwrap()
            .to_string()
    }
}

impl Lab {
    /// The calling thread gets onto a host of its own, whose way out is a link to the computer outside.
    pub(crate) fn new() -> Self {
        assert!(
            nix::unistd::geteuid().is_root(),
            "these tests make network namespaces and need root"
        );
        unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS).unwrap();
        let none: Option<&str> = None;
        let private = MsFlags::MS_PRIVATE | MsFlags::MS_REC;
        mount(none, "/", none, private, none).unwrap();
        // Tools that look there see this host.
        mount(Some("sysfs"), "/sys", Some("sysfs"), MsFlags::empty(), none).unwrap();
        let outside = Netns::with_loopback().unwrap();
        // Addresses are good at once.
        sh("ip link set lo up; sysctl -qw net.ipv6.conf.default.accept_dad=0");
        within(&outside, || {
            sh("sysctl -qw net.ipv6.conf.default.accept_dad=0")
        });
        let pid = std::process::id();
        let fd = outside.as_fd().as_raw_fd();
        // `ip` names a namespace by a process or a mounted file alone.
        let folder = tempfile::tempdir().unwrap();
        let name = format!("lab-{pid}-{fd}");
        sh(&format!(
            "mkdir -p /run/netns; mount -t tmpfs tmpfs /run/netns; : > /run/netns/{name}
             mount --bind /proc/{pid}/fd/{fd} /run/netns/{name}
             ip link add uplink type veth peer name eth0 netns {name}
             ip addr add {HOST_V4}/24 dev uplink; ip addr add {HOST_V6}/64 dev uplink nodad; ip link set uplink up
             ip route add default via {OUTSIDE_V4}; "
        ));
        within(&outside, || {
            sh(&format!(
                "ip addr add {OUTSIDE_V4}/24 dev eth0; ip addr add {OUTSIDE_V6}/64 dev eth0 nodad
                 ip link set eth0 up"
            ))
        });
        sh(&format!("ip -6 route add default via {OUTSIDE_V6}"));
        let attacher = Attacher {
            folders: vec![
                ConfigFolder {
                    path: folder.path().join("own"),
                    own: true,
                },
                ConfigFolder {
                    path: folder.path().join("cni"),
                    own: false,
                },
            ],
            runtime: Runtime::new(
                PluginFolders(vec![folder.path().join("bin"), "/usr/lib/cni".into()]),
                folder.path().join("state"),
                Duration::from_secs(60),
                Duration::from_secs(60),
            ),
        };
        Self {
            folder,
            attacher,
            outside,
        }
    }

    /// A network configuration.
    pub(crate) fn configure(&self, file: &str, text: &str) {
        let path = self.folder.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Starts a pod.
    pub(crate) fn pod(&self, id: &str, net: &[&str], ports: &[&str]) -> Pod {
        self.try_pod(id, net, ports).unwrap()
    }

    pub(crate) fn try_pod(
        &self,
        id: &str,
        net: &[&str],
        ports: &[&str],
    ) -> Result<Pod, NetworkError> {
        self.pod_beside(id, net, ports, &|_| true)
    }

    /// As [`Self::try_pod`], with limits.
    pub(crate) fn limited_pod(
        &self,
        id: &str,
        net: &[&str],
        bandwidth: &str,
    ) -> Result<Pod, NetworkError> {
        let spec: BandwidthSpec = bandwidth.parse().unwrap();
        self.start((id, net, &[]), Some(spec.0), &|_| true)
    }

    /// As [`Self::try_pod`], where it is known which pods run.
    pub(crate) fn pod_beside(
        &self,
        id: &str,
        net: &[&str],
        ports: &[&str],
        live: &dyn Fn(&ContainerId) -> bool,
    ) -> Result<Pod, NetworkError> {
        self.start((id, net, ports), None, live)
    }

    /// As [`Self::pod_beside`], with limits too.
    pub(crate) fn start(
        &self,
        (id, net, ports): (&str, &[&str], &[&str]),
        bandwidth: Option<Bandwidth>,
        live: &dyn Fn(&ContainerId) -> bool,
    ) -> Result<Pod, NetworkError> {
        let container: ContainerId = id.parse().unwrap();
        let mut netns = Netns::with_loopback()?;
        let ports = mappings(ports);
        let request = AttachRequest {
            container: &container,
            name: Some(id),
            selection: &Selection::parse(net.iter().copied()).unwrap(),
            ports: &ports,
            dns: &DnsOptions::default(),
            bandwidth,
            cgroup_path: None,
            interrupt: None,
        };
        let attached = self.attacher.attach(&request, &mut netns, live)?;
        Ok(Pod {
            id: container,
            netns,
            attached,
        })
    }

    /// Ends a pod, as its monitor does.
    pub(crate) fn end(&self, mut pod: Pod) {
        self.attacher.detach(&pod.id, Some(&mut pod.netns)).unwrap();
    }

    /// Clears what dead pods left; none is live but those of `live`.
    pub(crate) fn gc(&self, live: &[&Pod]) -> cni_glue::attach::GcReport {
        let live = |id: &ContainerId| live.iter().any(|pod| pod.id == *id);
        let (report, errors) = self.attacher.gc(&live, AfterFailure::Remember);
        assert!(errors.is_empty(), "{errors:?}");
        report
    }

    fn state(&self) -> PathBuf {
        self.attacher.runtime.state.clone()
    }

    /// Everything that pods could have left on the host.
    pub(crate) fn leftovers(&self) -> Vec<String> {
        let mut left: Vec<String> = Vec::new();
        for link in sh("ip -o link").lines() {
            // Its name alone: whether it has a carrier is told some time later.
            let name = link.split_whitespace().nth(1).unwrap_or_default();
            let name = name.split(['@', ':']).next().unwrap_or_default();
            if !matches!(name, "lo" | "uplink" | "ifb0" | "ifb1") {
                left.push(format!("link {name}"));
            }
        }
        left.extend(
            sh("nft list tables")
                .lines()
                .filter(|t| t.contains("fairing"))
                .map(Into::into),
        );
        for folder in ["results", "ports", "netns"] {
            left.extend(files(&self.state().join(folder)));
        }
        for network in files(&self.state().join("networks")) {
            left.extend(files(&Path::new(&network).join("leases")));
            left.extend(
                files(Path::new(&network))
                    .into_iter()
                    .filter(|f| f.ends_with(".json")),
            );
        }
        left
    }

    /// Waits until nothing is left: the kernel takes down a namespace, and the links into it, some time after the last
    /// who had it, and tells of each link.
    pub(crate) fn wait_for_nothing(&self) {
        const LINKS: u32 = 1; // RTMGRP_LINK
        let removals = socket(
            AddressFamily::Netlink,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC,
            SockProtocol::NetlinkRoute,
        )
        .unwrap();
        bind(removals.as_raw_fd(), &NetlinkAddr::new(0, LINKS)).unwrap();
        setsockopt(&removals, sockopt::ReceiveTimeout, &TimeVal::new(60, 0)).unwrap();
        loop {
            let left = self.leftovers();
            if left.is_empty() {
                return;
            }
            // That some were too many to be told of is an event too.
            if let Err(error) = recv(removals.as_raw_fd(), &mut [0; 1 << 14], MsgFlags::empty())
                && error != Errno::ENOBUFS
            {
                panic!("{error}, left: {left:#?}");
            }
        }
    }
}

/// The files in a directory, none if there is no directory.
pub(crate) fn files(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path().display().to_string())
        .collect()
}

/// Port mappings as they are written on the command line.
pub(crate) fn mappings(ports: &[&str]) -> Vec<PortMapping> {
    let parse = |text: &&str| text.parse::<PortSpec>().unwrap().resolve(|_| None).unwrap();
    ports.iter().map(parse).collect()
}
