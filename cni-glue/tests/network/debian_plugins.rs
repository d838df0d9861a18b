//! The plugins of Debian's containernetworking-plugins, run by us.

use cni_glue::runtime::Asked;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::process::{Child, Command, Stdio};

use crate::bandwidth::transfer;
use crate::lab::{HOST_V4, Lab, OUTSIDE_V4, Pod, sh, within};
use crate::traffic::{is_silent, serve, tcp, tcp_here};

const HOST_LOCAL: &str = r#""ipam": {"type": "host-local", "subnet": "10.7.0.0/24", "dataDir": "DIR/ipam",
    "routes": [{"dst": "0.0.0.0/0"}]}"#;

impl Lab {
    /// A list of plugins called `n`; `DIR` is the test's directory.
    fn list(&self, version: &str, plugins: &str) {
        let text = format!(r#"{{"cniVersion": "{version}", "name": "n", "plugins": [{plugins}]}}"#);
        let text = text.replace("DIR", &self.folder.path().display().to_string());
        self.configure("cni/10-n.conflist", &text);
    }

    /// Starts a pod in it, and takes it out again: nothing is left.
    fn come_and_go(&self, ports: &[&str], action: impl FnOnce(&Pod)) {
        serve(&self.outside, 80, "outside");
        let pod = self.pod("a", &["n"], ports);
        serve(&pod.netns, 80, "a");
        action(&pod);
        self.end(pod);
        assert_eq!(self.leftovers_but(&["cni0"]), Vec::<String>::new());
        let leases = crate::lab::files(&self.folder.path().join("ipam/n"));
        assert!(
            !leases.iter().any(|lease| lease.contains("10.7.")),
            "{leases:?}"
        );
    }

    fn leftovers_but(&self, names: &[&str]) -> Vec<String> {
        let mut left = self.leftovers();
        left.retain(|line| !names.iter().any(|name| line.contains(name)));
        left
    }
}

fn ip(pod: &Pod, command: &str) -> String {
    within(&pod.netns, || sh(&format!("ip {command}")))
}

fn bridge() -> String {
    format!(
        r#"{{"type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": true, {HOST_LOCAL}}}"#
    )
}

#[test]
fn bridge_host_local_and_portmap_in_every_version() {
    for version in ["0.3.1", "0.4.0", "1.0.0"] {
        let lab = Lab::new();
        sh("sysctl -qw net.ipv4.ip_forward=1");
        let portmap = r#"{"type": "portmap", "capabilities": {"portMappings": true}}"#;
        lab.list(version, &format!("{}, {portmap}", bridge()));
        lab.come_and_go(&["8080:80"], |pod| {
            assert_eq!(
                tcp(&pod.netns, OUTSIDE_V4, 80),
                format!("outside {HOST_V4}")
            );
            assert_eq!(tcp(&lab.outside, HOST_V4, 8080), format!("a {OUTSIDE_V4}"));
            assert!(tcp_here("127.0.0.1", 8080).starts_with("a "));
        });
        let rules = sh("iptables-save");
        assert!(!rules.contains("--to-destination"), "{rules}");
    }
}

#[test]
fn check_finds_what_is_missing_since_it_came_with_0_4_0() {
    for version in ["0.3.1", "0.4.0", "1.0.0"] {
        let lab = Lab::new();
        lab.list(version, &bridge());
        lab.come_and_go(&[], |pod| {
            let netns = &mut cni_glue::Netns::open(&path_of(pod)).unwrap();
            lab.attacher.check(&pod.id, netns, Asked::Everyone).unwrap();
            within(&pod.netns, || sh("ip addr flush dev eth0"));
            let outcome = lab.attacher.check(&pod.id, netns, Asked::Everyone);
            // CHECK came with 0.4.0.
            assert_eq!(outcome.is_err(), version != "0.3.1", "{outcome:?}");
            within(&pod.netns, || {
                sh(&format!("ip addr add {}/24 dev eth0", pod.address(true)))
            });
        });
    }
}

fn path_of(pod: &Pod) -> std::path::PathBuf {
    use std::os::fd::{AsFd, AsRawFd};
    format!(
        "/proc/{}/fd/{}",
        std::process::id(),
        pod.netns.as_fd().as_raw_fd()
    )
    .into()
}

#[test]
fn ptp_with_a_firewall_bandwidth_and_tuning() {
    let lab = Lab::new();
    sh("sysctl -qw net.ipv4.ip_forward=1");
    let ptp = format!(r#"{{"type": "ptp", "ipMasq": true, {HOST_LOCAL}}}"#);
    lab.list(
        "1.0.0",
        &format!(
            r#"{ptp}, {{"type": "firewall"}},
            {{"type": "tuning", "sysctl": {{"net.ipv4.conf.eth0.arp_filter": "1"}}, "mtu": 1400, "dataDir": "DIR/tuning"}},
            {{"type": "bandwidth", "ingressRate": 8000000, "ingressBurst": 8000000}}"#
        ),
    );
    lab.come_and_go(&[], |pod| {
        assert_eq!(
            tcp(&pod.netns, OUTSIDE_V4, 80),
            format!("outside {HOST_V4}")
        );
        assert!(ip(pod, "-o link show eth0").contains("mtu 1400"));
        assert_eq!(
            within(&pod.netns, || sh("sysctl -n net.ipv4.conf.eth0.arp_filter")),
            "1\n"
        );
        assert!(sh("tc qdisc").contains("tbf"), "{}", sh("tc qdisc"));
        assert!(sh("iptables-save").contains(&pod.address(true)));
    });
    let address = "-s 10.7.0.";
    assert!(
        !sh("iptables-save").contains(address),
        "{}",
        sh("iptables-save")
    );
}

#[test]
fn limits_reach_the_bandwidth_plugin_and_hold() {
    let lab = Lab::new();
    sh("sysctl -qw net.ipv4.ip_forward=1");
    let bandwidth = r#"{"type": "bandwidth", "capabilities": {"bandwidth": true}}"#;
    lab.list("1.0.0", &format!("{}, {bandwidth}", bridge()));
    let limits = "in=4mbit,in-burst=400kbit,out=4mbit,out-burst=400kbit";
    let pod = lab.limited_pod("a", &["n"], limits).unwrap();
    let shown = sh("tc qdisc show | grep tbf");
    assert_eq!(
        shown.matches("rate 4Mbit burst 50000b").count(),
        2,
        "{shown}"
    );
    let least = std::time::Duration::from_millis(300);
    let took = transfer(&pod.netns, &lab.outside, (OUTSIDE_V4, true), 200_000);
    assert!(took >= least, "from the pod: {took:?}");
    let took = transfer(&lab.outside, &pod.netns, (OUTSIDE_V4, false), 200_000);
    assert!(took >= least, "to the pod: {took:?}");
    lab.end(pod);
    assert_eq!(lab.leftovers_but(&["cni0"]), Vec::<String>::new());
}

#[test]
fn macvlan_and_static_addresses() {
    let lab = Lab::new();
    let ipam = r#""ipam": {"type": "static", "addresses": [{"address": "192.0.2.60/24", "gateway": "192.0.2.2"}],
        "routes": [{"dst": "198.51.100.0/24"}]}, "dns": {"nameservers": ["192.0.2.53"]}"#;
    lab.list(
        "1.0.0",
        &format!(r#"{{"type": "macvlan", "master": "uplink", {ipam}}}"#),
    );
    lab.come_and_go(&[], |pod| {
        assert_eq!(tcp(&pod.netns, OUTSIDE_V4, 80), "outside 192.0.2.60");
        assert_eq!(
            tcp(&lab.outside, "192.0.2.60", 80),
            format!("a {OUTSIDE_V4}")
        );
        let network = &pod.attached.status.networks[0];
        assert_eq!(network.dns.nameservers, ["192.0.2.53"]);
        assert_eq!(network.routes[0].destination.to_string(), "198.51.100.0/24");
    });
}

#[test]
fn an_address_that_was_asked_for_reaches_the_plugins() {
    let lab = Lab::new();
    let macvlan = r#"{"type": "macvlan", "master": "uplink", "capabilities": {"ips": true, "mac": true}, "ipam": {"type": "static"}}"#;
    lab.list("1.0.0", macvlan);
    serve(&lab.outside, 80, "outside");
    let pod = lab.pod("a", &["n:IP=192.0.2.61/24;MAC=02:00:00:00:00:61"], &[]);
    assert_eq!(tcp(&pod.netns, OUTSIDE_V4, 80), "outside 192.0.2.61");
    assert_eq!(
        pod.attached.status.networks[0].mac.as_deref(),
        Some("02:00:00:00:00:61")
    );
    lab.end(pod);
}

#[test]
fn host_device_moves_a_link_and_brings_it_back() {
    let lab = Lab::new();
    sh("ip link add spare type veth peer name spare1");
    let ipam = r#""ipam": {"type": "static", "addresses": [{"address": "198.51.100.5/24"}]}"#;
    lab.list(
        "1.0.0",
        &format!(r#"{{"type": "host-device", "device": "spare", {ipam}}}"#),
    );
    let pod = lab.pod("a", &["n"], &[]);
    assert!(ip(&pod, "addr show eth0").contains("198.51.100.5/24"));
    assert!(!sh("ip -o link").contains("spare@"));
    lab.end(pod);
    assert!(sh("ip -o link").contains("spare@"));
}

#[test]
fn sbr_and_loopback() {
    let lab = Lab::new();
    lab.list("1.0.0", r#"{"type": "loopback"}"#);
    let pod = lab.pod("b", &["n"], &[]);
    assert!(ip(&pod, "-o link show lo").contains("LOWER_UP"));
    lab.end(pod);
    lab.list("1.0.0", &format!(r#"{}, {{"type": "sbr"}}"#, bridge()));
    lab.come_and_go(&[], |pod| {
        assert!(
            ip(pod, "rule").contains(&format!("from {} lookup", pod.address(true))),
            "{}",
            ip(pod, "rule")
        );
    });
}

#[test]
fn vlan_works_or_says_that_the_kernel_cannot() {
    let lab = Lab::new();
    let ipam = r#""ipam": {"type": "static", "addresses": [{"address": "198.51.100.7/24"}]}"#;
    lab.list(
        "1.0.0",
        &format!(r#"{{"type": "vlan", "master": "uplink", "vlanId": 5, {ipam}}}"#),
    );
    let kernel_can = Command::new("ip")
        .args([
            "link", "add", "link", "uplink", "name", "vlan9", "type", "vlan", "id", "9",
        ])
        .stderr(Stdio::null())
        .status()
        .unwrap()
        .success();
    if kernel_can {
        sh("ip link del vlan9");
        within(&lab.outside, || {
            sh(
                "ip link add link eth0 name v5 type vlan id 5; ip addr add 198.51.100.8/24 dev v5; ip link set v5 up",
            )
        });
        lab.come_and_go(&[], |pod| {
            assert!(tcp(&pod.netns, "198.51.100.8", 80).starts_with("outside "))
        });
    } else {
        let error = lab.try_pod("a", &["n"], &[]).map(|_| ()).unwrap_err();
        let text = error.to_string();
        assert!(
            text.starts_with("network n: plugin vlan: ADD: failed to create vlan: "),
            "{text}"
        );
        assert_eq!(lab.leftovers(), Vec::<String>::new());
    }
}

/// A program that ends with the test.
struct Service(Child);

impl Drop for Service {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn dhcp_gets_an_address_from_the_network() {
    let lab = Lab::new();
    let folder = lab.folder.path().display().to_string();
    let server = format!(
        "start 192.0.2.70\nend 192.0.2.79\ninterface eth0\nlease_file {folder}/leases\npidfile {folder}/udhcpd.pid\n\
         option subnet 255.255.255.0\noption router 192.0.2.2\n"
    );
    std::fs::write(format!("{folder}/udhcpd.conf"), server).unwrap();
    std::fs::write(format!("{folder}/leases"), "").unwrap();
    let _server = within(&lab.outside, || {
        let mut command = Command::new("busybox");
        let command = command.args(["udhcpd", "-f", &format!("{folder}/udhcpd.conf")]);
        Service(command.stderr(Stdio::null()).spawn().unwrap())
    });
    let socket = format!("{folder}/dhcp.sock");
    // As systemd starts it: the socket is there before the daemon is, and who calls early waits.
    let listener = UnixListener::bind(&socket).unwrap();
    let mut daemon = Command::new("/bin/sh");
    let start = "LISTEN_PID=$$ LISTEN_FDS=1 exec /usr/lib/cni/dhcp daemon 3<&0";
    let daemon = daemon.args(["-ec", start]).stdin(OwnedFd::from(listener));
    let _daemon = Service(daemon.stderr(Stdio::null()).spawn().unwrap());
    let ipam = format!(r#""ipam": {{"type": "dhcp", "daemonSocketPath": "{socket}"}}"#);
    lab.list(
        "1.0.0",
        &format!(r#"{{"type": "macvlan", "master": "uplink", {ipam}}}"#),
    );
    lab.come_and_go(&[], |pod| {
        let address = pod.address(true);
        assert!(address.starts_with("192.0.2.7"), "{address}");
        assert_eq!(
            tcp(&pod.netns, OUTSIDE_V4, 80),
            format!("outside {address}")
        );
    });
}

#[test]
fn a_pod_that_was_killed_is_taken_out_by_gc_through_its_namespace() {
    let lab = Lab::new();
    sh("sysctl -qw net.ipv4.ip_forward=1");
    let portmap = r#"{"type": "portmap", "capabilities": {"portMappings": true}}"#;
    lab.list("1.0.0", &format!("{}, {portmap}", bridge()));
    let pod = lab.pod("a", &["n"], &["8080:80"]);
    let address = pod.address(true);
    drop(pod);
    let before = sh("iptables-save");
    assert!(
        before.contains("--to-destination") && before.contains(&format!("{address}/32 ")),
        "{before}"
    );
    let report = lab.gc(&[]);
    assert_eq!((report.attachments, report.ports), (1, 1));
    let rules = sh("iptables-save");
    assert!(
        !rules.contains("--to-destination") && !rules.contains(&address),
        "{rules}"
    );
    sh("ip link del cni0");
    lab.wait_for_nothing();
    assert!(is_silent(&lab.outside, HOST_V4, 8080));
}
