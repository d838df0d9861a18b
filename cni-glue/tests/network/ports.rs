//! Ports of the host that lead to pods.

use cni_glue::{Netns, NetworkError};

use crate::lab::{HOST_V4, HOST_V6, Lab, OUTSIDE_V4, OUTSIDE_V6, Pod, sh, within};
use crate::traffic::{is_silent, is_silent_here, serve, tcp, tcp_here, udp, udp_here};

fn server(lab: &Lab, ports: &[&str]) -> Pod {
    let pod = lab.pod("web", &[], ports);
    serve(&pod.netns, 80, "web");
    pod
}

#[test]
fn a_port_is_reached_from_outside_the_host_localhost_and_pods() {
    let lab = Lab::new();
    sh("sysctl -qew net.bridge.bridge-nf-call-iptables=0 net.bridge.bridge-nf-call-ip6tables=0");
    reached_from_everywhere(&lab);
}

#[test]
fn it_is_where_bridges_filter_too() {
    let lab = Lab::new();
    sh("sysctl -qew net.bridge.bridge-nf-call-iptables=1 net.bridge.bridge-nf-call-ip6tables=1");
    reached_from_everywhere(&lab);
}

fn reached_from_everywhere(lab: &Lab) {
    let pod = server(lab, &["8080:80", "8080:80/udp"]);
    let other = lab.pod("other", &[], &[]);
    for (outside, host, ipv4) in [(OUTSIDE_V4, HOST_V4, true), (OUTSIDE_V6, HOST_V6, false)] {
        // The pod sees who asks.
        assert_eq!(tcp(&lab.outside, host, 8080), format!("web {outside}"));
        assert_eq!(udp(&lab.outside, host, 8080), format!("web {outside}"));
        // The host's own address.
        assert_eq!(tcp_here(host, 8080), format!("web {host}"));
        assert_eq!(udp_here(host, 8080), format!("web {host}"));
        // Another pod, and the pod itself.
        for from in [&other, &pod] {
            assert!(tcp(&from.netns, host, 8080).starts_with("web "));
            assert!(udp(&from.netns, host, 8080).starts_with("web "));
        }
        let network = &pod.attached.status.networks[0];
        let gateway = network
            .addresses
            .iter()
            .find_map(|x| x.gateway.filter(|ip| ip.is_ipv4() == ipv4));
        assert!(tcp(&other.netns, &gateway.unwrap().to_string(), 8080).starts_with("web "));
    }
    assert!(tcp_here("127.0.0.1", 8080).starts_with("web "));
    assert!(udp_here("127.0.0.1", 8080).starts_with("web "));
    // This one the kernel can't lead anywhere; who asks is told at once, and tries the other.
    let refused = std::net::TcpStream::connect("[::1]:8080").unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    lab.end(pod);
    assert!(is_silent(&lab.outside, HOST_V4, 8080));
    assert!(is_silent_here("127.0.0.1", 8080));
    lab.end(other);
}

#[test]
fn ranges_and_single_addresses() {
    let lab = Lab::new();
    let ports = [
        "192.0.2.1:9000:80",
        "[2001:db8::1]:9001:80",
        "7000-7002:79-81",
        "127.0.0.1:9002:80",
    ];
    let pod = server(&lab, &ports);
    assert_eq!(
        tcp(&lab.outside, HOST_V4, 9000),
        format!("web {OUTSIDE_V4}")
    );
    assert!(is_silent(&lab.outside, HOST_V6, 9000));
    assert!(is_silent_here("127.0.0.1", 9000));
    assert_eq!(
        tcp(&lab.outside, HOST_V6, 9001),
        format!("web {OUTSIDE_V6}")
    );
    assert!(is_silent(&lab.outside, HOST_V4, 9001));
    assert_eq!(
        tcp(&lab.outside, HOST_V4, 7001),
        format!("web {OUTSIDE_V4}")
    );
    assert!(is_silent(&lab.outside, HOST_V4, 7000));
    assert!(tcp_here("127.0.0.1", 9002).starts_with("web "));
    assert!(is_silent(&lab.outside, HOST_V4, 9002));
    lab.end(pod);
}

#[test]
fn the_hosts_loopback_is_its_own() {
    let lab = Lab::new();
    let host = Netns::of_this_thread().unwrap();
    serve(&host, 631, "secret");
    let pod = server(&lab, &["8080:80"]);
    assert!(tcp_here("127.0.0.1", 631).starts_with("secret "));
    let bridge = "10.172.0.1";
    within(&pod.netns, || {
        sh("sysctl -qw net.ipv4.conf.eth0.route_localnet=1; ip addr del 127.0.0.1/8 dev lo");
        sh(&format!(
            "ip route del local 127.0.0.0/8 table local 2>/dev/null || true; ip route add 127.0.0.0/8 via {bridge}"
        ));
    });
    // The way is there: it is the host that drops it.
    assert!(tcp(&pod.netns, bridge, 631).starts_with("secret "));
    assert!(is_silent(&pod.netns, "127.0.0.1", 631));
    lab.end(pod);
}

#[test]
fn who_has_a_port_already_is_named() {
    let lab = Lab::new();
    let first = server(&lab, &["8080-8082:80-82"]);
    let error = lab
        .try_pod("second", &[], &["127.0.0.1:8081:80"])
        .map(|_| ())
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "port 127.0.0.1:8081/tcp belongs to pod web"
    );
    let listener = std::net::TcpListener::bind("192.0.2.1:9000").unwrap();
    let error = lab
        .try_pod("second", &[], &["9000:80"])
        .map(|_| ())
        .unwrap_err();
    let me = format!("(process {})", std::process::id());
    assert!(
        error.to_string().starts_with("port 9000/tcp is in use by ")
            && error.to_string().ends_with(&me),
        "{error}"
    );
    // Nothing is left of the attempts.
    drop(listener);
    let second = lab.pod("second", &[], &["9000:80"]);
    // A program that comes later is refused by the kernel.
    let error = std::net::TcpListener::bind("0.0.0.0:9000").unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
    lab.end(first);
    lab.end(second);
}

#[test]
fn a_pod_that_was_killed_is_in_nobodys_way() {
    let lab = Lab::new();
    let dead = lab.pod("dead", &["default:IP=10.172.0.9"], &["8080:80"]);
    drop(dead);
    let taken = lab.try_pod("web", &["default:IP=10.172.0.9"], &["8080:80"]);
    assert!(matches!(taken, Err(NetworkError::Port(_))));
    let live = |id: &cni_glue::id::ContainerId| id.as_str() != "dead";
    let pod = lab
        .pod_beside("web", &["default:IP=10.172.0.9"], &["8080:80"], &live)
        .unwrap();
    serve(&pod.netns, 80, "web");
    assert_eq!(
        tcp(&lab.outside, HOST_V4, 8080),
        format!("web {OUTSIDE_V4}")
    );
    lab.end(pod);
}

#[test]
fn one_that_was_killed_before_it_was_written_down_is_neither() {
    let lab = Lab::new();
    drop(lab.pod("dead", &[], &["8080:80"]));
    let state = lab.folder.path().join("state");
    for folder in ["results", "ports"] {
        std::fs::remove_dir_all(state.join(folder)).unwrap();
    }
    // Whose that rule is, nobody can tell but by asking for the pod.
    lab.try_pod("web", &[], &["8080:80"])
        .map(|_| ())
        .unwrap_err();
    let live = |id: &cni_glue::id::ContainerId| id.as_str() != "dead";
    let pod = lab.pod_beside("web", &[], &["8080:80"], &live).unwrap();
    serve(&pod.netns, 80, "web");
    assert_eq!(
        tcp(&lab.outside, HOST_V4, 8080),
        format!("web {OUTSIDE_V4}")
    );
    lab.end(pod);
}

#[test]
fn datagrams_find_a_pod_that_comes_back() {
    let lab = Lab::new();
    // With a pod, the host begins to remember who went where.
    let first = lab.pod("first", &[], &[]);
    let client = within(&lab.outside, || {
        let client = std::net::UdpSocket::bind("0.0.0.0:5000").unwrap();
        client.connect((HOST_V4, 8080)).unwrap();
        client
    });
    client
        .set_read_timeout(Some(std::time::Duration::from_secs(20)))
        .unwrap();
    // Nobody is there yet, the host says.
    client.send(b"x").unwrap();
    let refused = client.recv(&mut [0]).unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    let mut seen = Vec::new();
    for name in ["one", "two"] {
        let pod = lab.pod(name, &[], &["8080:80/udp"]);
        serve(&pod.netns, 80, name);
        client.send(b"x").unwrap();
        let mut buffer = [0; 100];
        let length = client.recv(&mut buffer).unwrap();
        seen.push(String::from_utf8_lossy(&buffer[..length]).into_owned());
        lab.end(pod);
    }
    assert_eq!(
        seen,
        [format!("one {OUTSIDE_V4}"), format!("two {OUTSIDE_V4}")]
    );
    lab.end(first);
}

#[test]
fn rules_that_others_removed_come_back_with_the_next_pod() {
    let lab = Lab::new();
    let pod = server(&lab, &["8080:80"]);
    sh("nft flush ruleset");
    let other = lab.pod("other", &[], &[]);
    serve(&lab.outside, 80, "outside");
    assert_eq!(
        tcp(&other.netns, OUTSIDE_V4, 80),
        format!("outside {HOST_V4}")
    );
    assert_eq!(
        tcp(&lab.outside, HOST_V4, 8080),
        format!("web {OUTSIDE_V4}")
    );
    lab.end(other);
    lab.end(pod);
}

#[test]
fn the_rules_say_whose_they_are() {
    let lab = Lab::new();
    let pod = server(&lab, &["8080:80", "127.0.0.1:53:53/udp"]);
    let rules = sh("nft list table inet fairing");
    let v4 = pod.address(true);
    assert!(
        rules.contains(&format!("tcp . 8080 comment \"web/eth0\" : {v4} . 80")),
        "{rules}"
    );
    assert!(
        rules.contains(&format!(
            "127.0.0.1 . udp . 53 comment \"web/eth0\" : {v4} . 53"
        )),
        "{rules}"
    );
    assert!(
        rules.contains("10.172.0.0/16 comment \"default\""),
        "{rules}"
    );
    lab.end(pod);
    let rules = sh("nft list table inet fairing");
    assert!(!rules.contains("\"web\""), "{rules}");
}

#[test]
fn as_many_ports_as_a_pod_can_have() {
    let lab = Lab::new();
    let pod = server(&lab, &["10000-14095:80-4175"]);
    serve(&pod.netns, 4175, "last");
    assert_eq!(
        tcp(&lab.outside, HOST_V6, 10_000),
        format!("web {OUTSIDE_V6}")
    );
    assert_eq!(
        tcp(&lab.outside, HOST_V4, 14_095),
        format!("last {OUTSIDE_V4}")
    );
    lab.end(pod);
    assert!(!sh("nft list table inet fairing").contains("\"web/"));
}
