//! What a pod may pretend that has every privilege in its own network namespace, and gets nothing by.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;

use cni_glue::Netns;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockType, SockaddrIn6, sendto, setsockopt, socket, sockopt,
};
use std::os::fd::AsRawFd;

use crate::lab::{HOST_V4, HOST_V6, Lab, OUTSIDE_V4, OUTSIDE_V6, sh, within};
use crate::traffic::{is_silent, serve, tcp, tcp_here};

/// Long enough for a machine that has much to do.
const PATIENCE: Duration = Duration::from_secs(20);

fn bind(at: &str) -> UdpSocket {
    let address = SocketAddr::new(at.parse().unwrap(), 7000);
    let socket = UdpSocket::bind(address).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

fn send(from: &str, to: &str) {
    let from = SocketAddr::new(from.parse().unwrap(), 0);
    let socket = UdpSocket::bind(from).unwrap();
    let to = SocketAddr::new(to.parse::<IpAddr>().unwrap(), 7000);
    socket.send_to(b"x", to).unwrap();
}

#[test]
fn an_address_that_is_made_up_leads_nowhere() {
    let lab = Lab::new();
    for (net, outside, host, made_up) in [
        ("default", OUTSIDE_V4, HOST_V4, "10.99.9.9"),
        ("default", OUTSIDE_V6, HOST_V6, "fd99::9"),
        ("ptp", OUTSIDE_V4, HOST_V4, "10.99.9.9"),
        ("ptp", OUTSIDE_V6, HOST_V6, "fd99::9"),
    ] {
        let pod = lab.pod("a", &[net], &[]);
        let listener = within(&lab.outside, || bind(outside));
        let own = pod.address(!outside.contains(':'));
        within(&pod.netns, || {
            let nodad = if own.contains(':') { "nodad" } else { "" };
            sh(&format!("ip addr add {made_up} dev eth0 {nodad}"));
            send(made_up, outside);
            send(&own, outside);
        });
        // One overtakes the other nowhere, so the first would be here by now.
        let (_, from) = listener.recv_from(&mut [0; 8]).unwrap();
        assert_eq!(from.ip().to_string(), host, "{net}");
        lab.end(pod);
    }
}

/// A router that says it is there for an hour.
fn advertise(netns: &Netns) {
    within(netns, || {
        let flags = SockFlag::SOCK_CLOEXEC;
        let icmp = nix::sys::socket::SockProtocol::IcmpV6;
        let raw = socket(AddressFamily::Inet6, SockType::Raw, flags, icmp).unwrap();
        setsockopt(&raw, sockopt::Ipv6MulticastHops, &255).unwrap();
        let mut advertisement = [0; 16];
        advertisement[0] = 134;
        advertisement[4] = 64;
        advertisement[6..8].copy_from_slice(&3600_u16.to_be_bytes());
        let scope: u32 = sh("ip -o link show dev eth0 | cut -d: -f1")
            .trim()
            .parse()
            .unwrap();
        let all_nodes = std::net::SocketAddrV6::new("ff02::1".parse().unwrap(), 0, 0, scope);
        let all_nodes = SockaddrIn6::from(all_nodes);
        sendto(
            raw.as_raw_fd(),
            &advertisement,
            &all_nodes,
            MsgFlags::empty(),
        )
        .unwrap();
    });
}

#[test]
fn a_pod_is_no_router_for_its_host() {
    let lab = Lab::new();
    // A host that passes packets on and learns its own way out from routers has this for all interfaces.
    sh("sysctl -qw net.ipv6.conf.default.accept_ra=2");
    for net in ["default", "ptp"] {
        let pod = lab.pod("a", &[net], &[]);
        // Of a bridge, the bridge itself; else the only end that there is.
        let end = sh("ls /sys/class/net | grep '^fairing' | sort | head -n 1");
        let end = end.trim();
        let addresses = &pod.attached.status.networks[0].addresses;
        let gateway = addresses
            .iter()
            .find_map(|a| a.gateway.filter(IpAddr::is_ipv6));
        let gateway = gateway.unwrap().to_string();
        within(&pod.netns, || {
            sh(
                "until ip -6 addr show dev eth0 scope link -tentative | grep -q fe80; do sleep 0.05; done",
            );
        });
        let routers = || sh(&format!("ip -6 route show default dev {end}"));
        let listener = bind(&gateway);
        advertise(&pod.netns);
        within(&pod.netns, || send("::", &gateway));
        listener.recv_from(&mut [0; 8]).unwrap();
        assert_eq!(routers(), "", "{net}");
        // It would be one without the setting.
        sh(&format!("sysctl -qw net.ipv6.conf.{end}.accept_ra=2"));
        advertise(&pod.netns);
        let deadline = std::time::Instant::now() + PATIENCE;
        while routers().is_empty() {
            assert!(std::time::Instant::now() < deadline, "{net}");
            // The kernel takes it in when it gets to it; until then nothing is wrong.
            std::thread::sleep(Duration::from_millis(20));
        }
        lab.end(pod);
        lab.gc(&[]);
    }
}

#[test]
fn a_port_on_localhost_is_not_for_neighbours() {
    let lab = Lab::new();
    let pod = lab.pod("web", &[], &["127.0.0.1:9000:80"]);
    serve(&pod.netns, 80, "web");
    serve(&Netns::of_this_thread().unwrap(), 9001, "host");
    assert!(tcp_here("127.0.0.1", 9000).starts_with("web "));
    // Loopback addresses come in from outside, as some cluster software would have it.
    sh("sysctl -qw net.ipv4.conf.all.route_localnet=1");
    within(&lab.outside, || {
        sh(&format!(
            "sysctl -qw net.ipv4.conf.all.route_localnet=1; ip addr del 127.0.0.1/8 dev lo
             ip route del local 127.0.0.0/8 table local 2>/dev/null || true; ip route add 127.0.0.0/8 via {HOST_V4}"
        ));
    });
    // The way is there.
    assert!(tcp(&lab.outside, "127.0.0.1", 9001).starts_with("host "));
    assert!(is_silent(&lab.outside, "127.0.0.1", 9000));
    lab.end(pod);
}
