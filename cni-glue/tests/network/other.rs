//! The other built-in networks: restricted, ptp, macvlan, and those that an administrator configures.

use cni_glue::runtime::Asked;
use cni_glue::{Netns, NetworkError};

use crate::lab::{HOST_V4, HOST_V6, Lab, OUTSIDE_V4, OUTSIDE_V6, sh, within};
use crate::traffic::{is_silent, serve, tcp, tcp_here, udp};

#[test]
fn a_restricted_pod_reaches_its_host_and_its_kind_alone() {
    let lab = Lab::new();
    serve(&lab.outside, 80, "outside");
    let host = Netns::of_this_thread().unwrap();
    serve(&host, 81, "host");
    let a = lab.pod("a", &["default-restricted"], &["8080:80"]);
    let b = lab.pod("b", &["default-restricted"], &[]);
    let open = lab.pod("open", &[], &[]);
    serve(&a.netns, 80, "a");
    serve(&open.netns, 80, "open");
    for (outside, ipv4) in [(OUTSIDE_V4, true), (OUTSIDE_V6, false)] {
        let own = b.address(ipv4);
        assert_eq!(tcp(&b.netns, &a.address(ipv4), 80), format!("a {own}"));
        let gateway = a.attached.status.networks[0]
            .addresses
            .iter()
            .find_map(|x| x.gateway.filter(|ip| ip.is_ipv4() == ipv4))
            .unwrap()
            .to_string();
        assert_eq!(tcp(&b.netns, &gateway, 81), format!("host {own}"));
        assert!(is_silent(&b.netns, outside, 80));
        // Even if it makes itself a way.
        let (flag, everything) = if ipv4 {
            ("-4", "0.0.0.0/0")
        } else {
            ("-6", "::/0")
        };
        within(&b.netns, || {
            sh(&format!("ip {flag} route add {everything} via {gateway}"))
        });
        assert!(is_silent(&b.netns, outside, 80));
        assert!(is_silent(&b.netns, &open.address(ipv4), 80));
        assert!(is_silent(&open.netns, &a.address(ipv4), 80));
        assert!(tcp_here(&a.address(ipv4), 80).starts_with("a "));
    }
    // Published ports are the host's to use, and nobody's outside.
    assert!(tcp_here("127.0.0.1", 8080).starts_with("a "));
    assert!(tcp_here(HOST_V4, 8080).starts_with("a "));
    assert!(is_silent(&lab.outside, HOST_V4, 8080));
    for pod in [a, b, open] {
        lab.end(pod);
    }
}

#[test]
fn ptp_connects_each_pod_by_itself() {
    let lab = Lab::new();
    serve(&lab.outside, 80, "outside");
    let (a, b) = (
        lab.pod("a", &["ptp"], &["8080:80"]),
        lab.pod("b", &["ptp"], &[]),
    );
    serve(&a.netns, 80, "a");
    for (outside, host, ipv4) in [(OUTSIDE_V4, HOST_V4, true), (OUTSIDE_V6, HOST_V6, false)] {
        assert_eq!(tcp(&b.netns, outside, 80), format!("outside {host}"));
        assert_eq!(
            tcp(&b.netns, &a.address(ipv4), 80),
            format!("a {}", b.address(ipv4))
        );
        assert_eq!(tcp(&lab.outside, host, 8080), format!("a {outside}"));
        assert!(tcp_here(&a.address(ipv4), 80).starts_with("a "));
    }
    assert!(tcp_here("127.0.0.1", 8080).starts_with("a "));
    assert!(tcp(&a.netns, HOST_V4, 8080).starts_with("a "));
    lab.end(a);
    lab.end(b);
    lab.gc(&[]);
    lab.wait_for_nothing();
}

#[test]
fn macvlan_puts_a_pod_beside_the_host() {
    let lab = Lab::new();
    serve(&lab.outside, 80, "outside");
    let net = "macvlan:IP=192.0.2.50/24;MASTER=uplink;GATEWAY=192.0.2.2;MAC=02:00:00:00:00:50";
    let pod = lab.pod("a", &[net], &[]);
    assert_eq!(
        pod.attached.status.networks[0].mac.as_deref(),
        Some("02:00:00:00:00:50")
    );
    assert_eq!(tcp(&pod.netns, OUTSIDE_V4, 80), "outside 192.0.2.50");
    serve(&pod.netns, 80, "a");
    assert_eq!(
        tcp(&lab.outside, "192.0.2.50", 80),
        format!("a {OUTSIDE_V4}")
    );
    let error = lab.try_pod("b", &[net], &[]).map(|_| ()).unwrap_err();
    assert!(
        matches!(error, NetworkError::AddressTaken { .. }),
        "{error}"
    );
    let error = lab
        .try_pod("b", &["macvlan"], &["80:80"])
        .map(|_| ())
        .unwrap_err();
    assert!(matches!(error, NetworkError::NoPorts(_)), "{error}");
    let error = lab
        .try_pod("b", &["macvlan:MASTER=eth9"], &[])
        .map(|_| ())
        .unwrap_err();
    assert!(error.to_string().contains("no interface eth9"), "{error}");
    lab.end(pod);
    lab.gc(&[]);
    lab.wait_for_nothing();
}

#[test]
fn an_administrators_network_has_the_addresses_that_it_says() {
    let lab = Lab::new();
    lab.configure(
        "own/10-lan.conflist",
        r#"{"cniVersion": "1.0.0", "name": "lan", "plugins": [{"type": "fairing-cni", "subnet": "10.5.0.0/29",
            "ipv6": false, "masquerade": false, "mtu": 1400, "capabilities": {"portMappings": true},
            "dns": {"nameservers": ["10.5.0.1"]}}]}"#,
    );
    serve(&lab.outside, 80, "outside");
    within(&lab.outside, || {
        sh(&format!("ip route add 10.5.0.0/29 via {HOST_V4}"))
    });
    let a = lab.pod("a", &["lan:IP=10.5.0.4/29"], &["8080:80"]);
    // Without masquerading, its own address is seen.
    assert_eq!(tcp(&a.netns, OUTSIDE_V4, 80), "outside 10.5.0.4");
    let link = within(&a.netns, || sh("ip -o link show eth0"));
    assert!(link.contains("mtu 1400"), "{link}");
    assert_eq!(a.attached.status.networks[0].dns.nameservers, ["10.5.0.1"]);
    serve(&a.netns, 80, "a");
    assert!(tcp(&a.netns, HOST_V4, 8080).starts_with("a "));
    let mut pods = vec![a];
    for n in 0..4 {
        pods.push(lab.pod(&format!("p{n}"), &["lan"], &[]));
    }
    let error = lab.try_pod("late", &["lan"], &[]).map(|_| ()).unwrap_err();
    assert!(matches!(error, NetworkError::Exhausted { .. }), "{error}");
    for bad in ["10.5.0.1", "10.5.0.0", "10.5.0.7", "10.6.0.1"] {
        let error = lab
            .try_pod("late", &[&format!("lan:IP={bad}")], &[])
            .map(|_| ())
            .unwrap_err();
        assert!(
            matches!(error, NetworkError::Setting { .. }),
            "{bad}: {error}"
        );
    }
    // The length of the network is not the pod's to choose.
    let error = lab
        .try_pod("late", &["lan:IP=10.5.0.6/24"], &[])
        .err()
        .unwrap();
    assert_eq!(
        error.to_string(),
        "network lan: 10.5.0.6/24: the network is 10.5.0.0/29, a /29; ask for 10.5.0.6 alone"
    );
    // One that is gone makes room.
    let live = |id: &cni_glue::id::ContainerId| id.as_str() != "p0";
    let late = lab.pod_beside("late", &["lan"], &[], &live).unwrap();
    assert_eq!(late.address(true), pods[1].address(true));
    lab.end(late);
}

#[test]
fn a_pod_in_two_networks_goes_out_by_the_first() {
    let lab = Lab::new();
    let text = r#"{"cniVersion": "1.0.0", "name": "back", "plugins": [{"type": "fairing-cni", "mode": "bridge"}]}"#;
    lab.configure("own/10-back.conflist", text);
    serve(&lab.outside, 80, "outside");
    let pod = lab.pod("a", &["default,back"], &[]);
    let names: Vec<_> = pod
        .attached
        .status
        .networks
        .iter()
        .map(|n| (n.name.as_str(), n.interface.as_str()))
        .collect();
    assert_eq!(names, [("back", "eth0"), ("default", "eth1")]);
    let route = within(&pod.netns, || sh("ip route show default"));
    assert!(
        route.contains("dev eth0") && route.lines().count() == 1,
        "{route}"
    );
    assert_eq!(
        tcp(&pod.netns, OUTSIDE_V4, 80),
        format!("outside {HOST_V4}")
    );
    assert_eq!(
        udp(&pod.netns, OUTSIDE_V6, 80),
        format!("outside {HOST_V6}")
    );
    lab.attacher
        .check(
            &pod.id,
            &mut Netns::open(&own(&pod.netns)).unwrap(),
            Asked::Everyone,
        )
        .unwrap();
    within(&pod.netns, || sh("ip addr flush dev eth1"));
    let error = lab
        .attacher
        .check(
            &pod.id,
            &mut Netns::open(&own(&pod.netns)).unwrap(),
            Asked::Everyone,
        )
        .unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("network default: eth1 has no address"),
        "{error}"
    );
    lab.end(pod);
    lab.gc(&[]);
    lab.wait_for_nothing();
}

fn own(netns: &Netns) -> std::path::PathBuf {
    use std::os::fd::{AsFd, AsRawFd};
    format!(
        "/proc/{}/fd/{}",
        std::process::id(),
        netns.as_fd().as_raw_fd()
    )
    .into()
}

#[test]
fn large_packets_find_their_way_through_small_links() {
    let lab = Lab::new();
    // The way out is smaller than the pod's link.
    sh("ip link set uplink mtu 1300");
    within(&lab.outside, || sh("ip link set eth0 mtu 1300"));
    lab.configure(
        "own/10-wide.conflist",
        r#"{"cniVersion": "1.0.0", "name": "wide", "plugins": [{"type": "fairing-cni", "mtu": 1500}]}"#,
    );
    for net in ["wide", "default"] {
        let pod = lab.pod(net, &[net], &[]);
        let mtu = within(&pod.netns, || sh("ip -o link show eth0"));
        let expected = if net == "wide" {
            "mtu 1500"
        } else {
            "mtu 1300"
        };
        assert!(mtu.contains(expected), "{mtu}");
        for address in [OUTSIDE_V4, OUTSIDE_V6] {
            let listener = within(&lab.outside, || {
                std::net::TcpListener::bind(("::", 0)).unwrap()
            });
            let port = listener.local_addr().unwrap().port();
            let receiver = std::thread::spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                std::io::copy(&mut stream, &mut std::io::sink()).unwrap()
            });
            within(&pod.netns, || {
                use std::io::Write;
                let mut stream = std::net::TcpStream::connect((address, port)).unwrap();
                stream.write_all(&vec![7; 1 << 20]).unwrap();
            });
            assert_eq!(receiver.join().unwrap(), 1 << 20);
        }
        lab.end(pod);
    }
}

#[test]
fn the_default_network_evades_the_hosts_own_addresses() {
    let lab = Lab::new();
    sh("ip addr add 10.172.5.1/24 dev uplink");
    let pod = lab.pod("a", &[], &[]);
    assert!(
        pod.address(true).starts_with("10.173."),
        "{}",
        pod.address(true)
    );
    lab.end(pod);
    lab.configure(
        "own/10-lan.conflist",
        r#"{"cniVersion": "1.0.0", "name": "lan", "plugins": [{"type": "fairing-cni", "subnet": "10.172.0.0/16"}]}"#,
    );
    let error = lab.try_pod("b", &["lan"], &[]).map(|_| ()).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("overlaps the host's route to 10.172.5.0/24"),
        "{error}"
    );
}

#[test]
fn forwarding_is_switched_on_for_what_needs_it_alone() {
    let lab = Lab::new();
    sh(
        "sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0; ip link add idle type veth peer name idle1",
    );
    let pod = lab.pod("a", &[], &[]);
    let value = |name: &str| sh(&format!("sysctl -n net.{name}")).trim().to_owned();
    assert_eq!(value("ipv4.ip_forward"), "0");
    assert_eq!(value("ipv4.conf.default.forwarding"), "0");
    assert_eq!(value("ipv4.conf.idle.forwarding"), "0");
    assert_eq!(value("ipv4.conf.uplink.forwarding"), "1");
    assert_eq!(value("ipv4.conf.fairing0.forwarding"), "1");
    assert_eq!(value("ipv6.conf.fairing0.accept_ra"), "0");
    lab.end(pod);
}

#[test]
fn networks_are_apart() {
    let lab = Lab::new();
    for (name, mode) in [
        ("one", "bridge"),
        ("two", "bridge"),
        ("three", "ptp"),
        ("four", "ptp"),
    ] {
        lab.configure(
            &format!("own/{name}.conf"),
            &format!(
                r#"{{"cniVersion": "1.1.0", "name": "{name}", "type": "fairing-cni", "mode": "{mode}",
                     "capabilities": {{"portMappings": true}}}}"#
            ),
        );
    }
    lab.configure(
        "own/five.conf",
        r#"{"cniVersion": "1.1.0", "name": "five", "type": "fairing-cni", "mode": "bridge", "masquerade": false}"#,
    );
    let server = lab.pod("server", &["one"], &["8080:80"]);
    serve(&server.netns, 80, "server");
    let single = lab.pod("single", &["three"], &[]);
    serve(&single.netns, 80, "single");
    let kin = [
        (lab.pod("kin", &["one"], &[]), &server),
        (lab.pod("single-kin", &["three"], &[]), &single),
    ];
    for (pod, server) in &kin {
        for ipv4 in [true, false] {
            let name = server.id.as_str();
            let seen = format!("{name} {}", pod.address(ipv4));
            assert_eq!(tcp(&pod.netns, &server.address(ipv4), 80), seen);
            assert_eq!(udp(&pod.netns, &server.address(ipv4), 80), seen);
        }
    }
    for network in ["two", "four", "five", "default", "ptp", "three", "one"] {
        let stranger = lab.pod(&format!("stranger-{network}"), &[network], &[]);
        for server in [&server, &single] {
            let own = if server.id.as_str() == "server" {
                "one"
            } else {
                "three"
            };
            for ipv4 in [true, false] {
                let address = server.address(ipv4);
                if network == own {
                    assert!(tcp(&stranger.netns, &address, 80).starts_with(server.id.as_str()));
                } else {
                    let silent = is_silent(&stranger.netns, &address, 80);
                    assert!(silent, "{network} to {own}, {ipv4}");
                }
            }
        }
        // What is published is for everybody.
        assert!(tcp(&stranger.netns, HOST_V4, 8080).starts_with("server "));
        assert!(tcp(&stranger.netns, HOST_V6, 8080).starts_with("server "));
        lab.end(stranger);
    }
    // Who is in both is in both.
    let both = lab.pod("both", &["two", "one"], &[]);
    assert!(tcp(&both.netns, &server.address(true), 80).starts_with("server "));
}
