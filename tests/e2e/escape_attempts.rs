//! Attempts to get out of a pod, by root of it, again for each namespace that a flag can leave out: `--userns=host` and
//! `--net=host`. All other namespaces are always the pod's own.

use std::fs;
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::Path;

use harness::{Host, ImageBuilder};

use crate::stocked::{IMAGE, host_with};

/// Attempts that succeed nowhere. What would count, if it went through, is harmless: these run on the machine of whoever
/// runs the tests. `same FILE` writes to a file what it holds.
const ATTEMPTS: &[&str] = &[
    // The kernel's settings.
    "same /proc/sys/kernel/core_pattern",
    "echo 1 > /proc/sys/vm/drop_caches",
    "echo h > /proc/sysrq-trigger",
    "same /proc/irq/default_smp_affinity",
    "same /sys/kernel/mm/ksm/run",
    "same /sys/kernel/uevent_helper",
    "mount -o remount,rw /sys; same /sys/kernel/mm/ksm/run",
    "mount -o remount,rw /proc/sys; same /proc/sys/kernel/core_pattern",
    "mount -t sysfs none /mnt && same /mnt/kernel/mm/ksm/run",
    "mount -t proc none /mnt && same /mnt/sys/kernel/core_pattern",
    // cgroups: programs that the host runs, and limits.
    "{ cd /sys/fs/cgroup/memory || cd /sys/fs/cgroup; } && mkdir x",
    "{ cd /sys/fs/cgroup/memory || cd /sys/fs/cgroup; } && echo /x > release_agent",
    "mount -t cgroup -o memory none /mnt && echo /x > /mnt/release_agent",
    "mount -t cgroup -o rdma none /mnt && echo /x > /mnt/release_agent",
    "mount -t cgroup2 none /mnt && mkdir /mnt/x",
    "unshare -C sh -c 'mount -t cgroup -o memory none /mnt && echo /x > /mnt/release_agent'",
    // Devices, and filesystems of disks.
    "mknod /tmp/disk b 254 0 && head -c 1 /tmp/disk",
    "mknod /tmp/kmsg c 1 11 && head -c 1 /tmp/kmsg",
    "mount -t devtmpfs none /mnt",
    "mount -t debugfs none /mnt",
    "mount -t tracefs none /mnt",
    "mount -t securityfs none /mnt",
    "mount -t ext4 /dev/vda /mnt",
    "losetup -f /etc/hosts",
    "swapon /etc/hosts",
    // What the whole machine has one of.
    "date -s 2001-01-01; test $(date +%Y) = 2001",
    "dmesg",
    "insmod /etc/hosts",
    "renice -n -5 $$",
    "echo -1000 > /proc/1/oom_score_adj",
    "ulimit -Hn 99999999",
    // Processes and files of the host.
    "grep -qx stage1-nspawn /proc/[0-9]*/comm",
    "ls /proc/1/root$OUTSIDE /proc/1/cwd$OUTSIDE",
    "for process in /proc/[0-9]*; do ls $process/root$OUTSIDE && exit; done; false",
    // fairing's own sockets have paths, and none is in an abstract namespace (CVE-2020-15257).
    "grep -i 'fairing.*@\\|@.*fairing' /proc/net/unix",
    // Last, since nothing is left to try things on then.
    "umount -l /proc/sys; same /proc/sys/kernel/core_pattern",
    "umount -l /sys; same /sys/kernel/mm/ksm/run",
];

/// Those on what a user namespace of the pod's own makes its own.
const ON_THE_HOSTS_USERS: &[&str] = &[
    "same /proc/sys/user/max_inotify_instances",
    "cat /proc/1/environ",
    "ls /proc/1/root/",
    "nsenter -t 1 -m true",
    "hostname x",
];

/// The same in a volume whose owners are not mapped, which is the host's root's: none of it is root's of a pod with users
/// of its own.
const ON_THE_HOSTS_FILES: &[&str] = &[
    "cat /host/secret",
    "echo changed > /host/secret",
    "touch /host/new",
    "mv /host/secret /host/moved",
    "chown 0:0 /host/secret",
    "chmod u+s /host/secret",
    "chmod 777 /host",
];

/// Those on a network, and in whose pods they succeed where it is the host's. In a network of its own a pod may do what it
/// can: it is nobody else's.
const ON_THE_HOSTS_NETWORK: &[(&str, By)] = &[
    // Settings and interfaces are the host's alone.
    ("same /proc/sys/net/ipv4/ip_forward", By::Nobody),
    ("same /proc/sys/net/core/somaxconn", By::Nobody),
    (
        "mount -o remount,rw /proc/sys; same /proc/sys/net/ipv4/ip_forward",
        By::Nobody,
    ),
    (
        "mount -t proc none /mnt && same /mnt/sys/net/ipv4/ip_forward",
        By::Nobody,
    ),
    ("same /sys/class/net/lo/tx_queue_len", By::Nobody),
    ("ip link set lo mtu 65536", By::Nobody),
    ("ip addr add 10.255.255.1/32 dev lo", By::Nobody),
    ("ip route add 10.255.255.1/32 dev lo", By::Nobody),
    ("ip link add escaped type dummy", By::Nobody),
    ("brctl addbr escaped", By::Nobody),
    // Nobody listens in, or speaks in another's name.
    ("/probe sockets | grep -q '^packet = allowed'", By::Nobody),
    ("/probe sockets | grep -q '^xdp = allowed'", By::Nobody),
    (
        "/probe sockets | grep -q '^inet raw icmp = allowed'",
        By::Nobody,
    ),
    // Its ports and its abstract sockets are the pod's too: that is what the flag says.
    ("nc 127.0.0.1 $HOST_PORT -e true", By::All),
    ("grep -q $HOST_SOCKET /proc/net/unix", By::All),
    // Ports below 1024 are root's, by a capability that counts in the network's own user namespace.
    ("httpd -p 127.0.0.1:$LOW_PORT -h /tmp", By::HostsUsers),
];

/// What the attempts are made with: without it they would fail everywhere.
const TOOLS: &str = "brctl date dmesg grep hostname httpd insmod ip losetup mknod mount nc nsenter renice \
                     swapon umount unshare /probe";

/// In whose pod an attempt succeeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Nobody,
    HostsUsers,
    All,
}

/// A pod of which something was left out.
struct Pod {
    users: &'static str,
    net: &'static str,
    /// Protections that are given up.
    without: &'static str,
}

impl Pod {
    fn has_own_users(&self) -> bool {
        self.users != "host"
    }

    fn has_own_network(&self) -> bool {
        self.net != "host"
    }

    /// Each attempt, and whether it is to succeed.
    fn attempts(&self) -> Vec<(&'static str, bool)> {
        let mut attempts = Vec::new();
        let of_users = match self.has_own_users() {
            true => ON_THE_HOSTS_FILES,
            false => ON_THE_HOSTS_USERS,
        };
        attempts.extend(of_users.iter().map(|attempt| (*attempt, false)));
        if !self.has_own_network() {
            let succeeds = |by: By| match by {
                By::Nobody => false,
                By::HostsUsers => !self.has_own_users(),
                By::All => true,
            };
            let attempts_there = ON_THE_HOSTS_NETWORK.iter();
            attempts.extend(attempts_there.map(|(attempt, by)| (*attempt, succeeds(*by))));
        }
        attempts.extend(ATTEMPTS.iter().map(|attempt| (*attempt, false)));
        attempts
    }

    /// Makes all attempts, and compares what succeeded.
    fn play(&self, host: &Host, outside: &Path) {
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let own = std::process::id();
        let socket = format!("escape-attempts-{own}");
        let name = SocketAddr::from_abstract_name(&socket).unwrap();
        let _socket = UnixListener::bind_addr(&name).unwrap();
        let attempts = self.attempts();
        let mut script = format!(
            "mkdir -p /mnt; same() {{ local had; had=$(cat $1) && echo \"$had\" > $1; }}\n\
             echo x > /tmp/own; same /tmp/own && which {TOOLS} > /dev/null && echo ready\n"
        );
        for (number, (attempt, _)) in attempts.iter().enumerate() {
            script.push_str(&format!(
                "({attempt}) > /dev/null 2>&1 && echo done {number}\n"
            ));
        }
        script.push_str("echo end");
        let mut command = host
            .fairing(["run", "--rm"])
            .arg(format!("--userns={}", self.users))
            .arg(format!("--net={}", self.net));
        if !self.without.is_empty() {
            command = command.arg(format!("--insecure-options={}", self.without));
        }
        if self.has_own_users() {
            let shown = outside.display();
            command = command.arg(format!("--volume={shown}:/host:noidmap,suid,dev"));
        }
        let port = port.local_addr().unwrap().port();
        let output = command
            .args([IMAGE, "--env", &format!("OUTSIDE={}", outside.display())])
            .args(["--env", &format!("HOST_PORT={port}")])
            .args(["--env", &format!("HOST_SOCKET={socket}")])
            .args(["--env", &format!("LOW_PORT={}", 600 + own % 400)])
            .args(["--", "/bin/sh", "-c", &script])
            .run()
            .ok();
        let succeeded = |number: usize| output.stdout.contains(&format!("done {number}\n"));
        let other: Vec<_> = attempts
            .iter()
            .enumerate()
            .filter(|(number, (_, wanted))| succeeded(*number) != *wanted)
            .map(|(_, attempt)| attempt)
            .collect();
        let Self {
            users,
            net,
            without,
        } = self;
        assert!(
            other.is_empty(),
            "--userns={users} --net={net} without {without:?}: not as wanted: {other:#?}\n{output}"
        );
        let whole = output.stdout.starts_with("ready\n") && output.stdout.ends_with("end\n");
        assert!(whole, "{output}");
        let secret = fs::read_to_string(outside.join("secret")).unwrap();
        assert_eq!(secret, "of the host");
    }
}

/// Plays the list in pods with these users, without each of these protections.
fn play_all(users: &'static str, protections: &[&'static str]) {
    let host = host_with(ImageBuilder::probe());
    let outside = host.base().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("secret"), "of the host").unwrap();
    fs::set_permissions(outside.join("secret"), fs::Permissions::from_mode(0o600)).unwrap();
    for net in ["none", "host"] {
        for without in protections {
            let pod = Pod {
                users,
                net,
                without,
            };
            pod.play(&host, &outside);
        }
    }
}

#[test]
fn root_of_a_pod_with_users_of_its_own_gets_out_by_no_namespace_that_is_left_out() {
    play_all("auto", &["", "seccomp,capabilities,paths"]);
}

/// With all capabilities it would be root of the host, and with the paths it could change the kernel's settings: these two
/// are the border then.
#[test]
fn root_of_a_pod_with_the_hosts_users_gets_out_by_no_namespace_that_is_left_out() {
    play_all("host", &["", "seccomp"]);
}
