//! The default network.

use cni_glue::Netns;
use cni_glue::attach::GcReport;
use cni_glue::runtime::Asked;

use crate::lab::{HOST_V4, HOST_V6, Lab, OUTSIDE_V4, OUTSIDE_V6, files, sh, within};
use crate::traffic::{is_silent, serve, tcp, tcp_here, udp};

#[test]
fn a_pod_reaches_the_outside_as_the_host_and_nobody_reaches_it() {
    let lab = Lab::new();
    serve(&lab.outside, 80, "outside");
    let pod = lab.pod("a", &[], &[]);
    serve(&pod.netns, 80, "a");
    for (outside, host, ipv4) in [(OUTSIDE_V4, HOST_V4, true), (OUTSIDE_V6, HOST_V6, false)] {
        assert_eq!(tcp(&pod.netns, outside, 80), format!("outside {host}"));
        assert_eq!(udp(&pod.netns, outside, 80), format!("outside {host}"));
        // The host itself reaches the pod.
        assert!(tcp_here(&pod.address(ipv4), 80).starts_with("a "));
    }
    // Who knows the way does not get through either.
    let (v4, v6) = (pod.address(true), pod.address(false));
    within(&lab.outside, || {
        sh(&format!(
            "ip route add {v4} via {HOST_V4}; ip -6 route add {v6} via {HOST_V6}"
        ))
    });
    assert!(is_silent(&lab.outside, &v4, 80));
    assert!(is_silent(&lab.outside, &v6, 80));
    lab.end(pod);
}

#[test]
fn pods_reach_each_other_and_their_host_under_their_own_addresses() {
    let lab = Lab::new();
    let (a, b) = (lab.pod("a", &[], &[]), lab.pod("b", &[], &[]));
    serve(&b.netns, 80, "b");
    let host = Netns::of_this_thread().unwrap();
    serve(&host, 81, "host");
    for ipv4 in [true, false] {
        let own = a.address(ipv4);
        assert_eq!(tcp(&a.netns, &b.address(ipv4), 80), format!("b {own}"));
        assert_eq!(udp(&a.netns, &b.address(ipv4), 80), format!("b {own}"));
        let network = &a.attached.status.networks[0];
        let gateway = network
            .addresses
            .iter()
            .find_map(|x| x.gateway.filter(|ip| ip.is_ipv4() == ipv4));
        assert_eq!(
            tcp(&a.netns, &gateway.unwrap().to_string(), 81),
            format!("host {own}")
        );
    }
    let peers = lab.attacher.peers(&a.attached.status, &a.id).unwrap();
    let mut peers = peers.unwrap();
    let changes = peers.changes().unwrap();
    let b_addresses: Vec<_> = b.attached.status.addresses().collect();
    let named = |ip: &std::net::IpAddr| (*ip, "b".to_owned());
    assert_eq!(
        changes.came,
        b_addresses.iter().map(named).collect::<Vec<_>>()
    );
    assert!(peers.changes().unwrap().is_empty());
    lab.end(b);
    assert_eq!(peers.changes().unwrap().gone, changes.came);
    lab.end(a);
}

#[test]
fn nothing_is_left_when_pods_end_and_the_network_goes_with_gc() {
    let lab = Lab::new();
    let before = lab.leftovers();
    assert_eq!(before, Vec::<String>::new());
    let (a, b) = (lab.pod("a", &[], &["8080:80"]), lab.pod("b", &[], &[]));
    lab.attacher
        .check(
            &a.id,
            &mut Netns::open(std::path::Path::new("/proc/thread-self/ns/net")).unwrap(),
            Asked::Everyone,
        )
        .unwrap_err();
    lab.end(a);
    lab.gc(&[&b]);
    serve(&lab.outside, 80, "outside");
    assert_eq!(tcp(&b.netns, OUTSIDE_V4, 80), format!("outside {HOST_V4}"));
    lab.end(b);
    lab.gc(&[]);
    lab.wait_for_nothing();
}

#[test]
fn what_goes_with_its_namespace_was_not_forgotten_by_anybody() {
    let lab = Lab::new();
    for network in ["default", "ptp"] {
        // Somebody keeps the namespace, as the kernel does for a moment.
        let mut left = lab.pod("left", &[network], &[]);
        let detached = lab.attacher.detach(&left.id, Some(&mut left.netns));
        detached.unwrap();
        assert_eq!(lab.gc(&[]), GcReport::default(), "{network}");
        let links = lab.leftovers();
        assert_eq!(links, Vec::<String>::new(), "{network}");
        let killed = lab.pod("killed", &[network], &[]);
        assert!(lab.gc(&[]) != GcReport::default(), "{network}");
        drop((left, killed));
        lab.wait_for_nothing();
    }
}

#[test]
fn a_pod_that_can_not_be_remembered_is_taken_out_again() {
    let lab = Lab::new();
    let results = lab.folder.path().join("state/results");
    sh(&format!(
        "mkdir -p {0}; mount -t tmpfs -o ro none {0}",
        results.display()
    ));
    let error = lab.try_pod("a", &[], &["8080:80"]).map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("Read-only"), "{error}");
    sh(&format!("umount {}", results.display()));
    // Neither address nor port is anybody's.
    let pod = lab.pod("b", &[], &["8080:80"]);
    assert_eq!(
        files(&lab.folder.path().join("state/networks/default/leases")).len(),
        2
    );
    lab.end(pod);
    lab.gc(&[]);
    lab.wait_for_nothing();
}

#[test]
fn a_network_whose_making_was_cut_short_is_made_whole_or_cleared() {
    let lab = Lab::new();
    serve(&lab.outside, 80, "outside");
    let record = lab
        .folder
        .path()
        .join("state/networks/default/network.json");
    lab.end(lab.pod("first", &[], &[]));
    let whole = std::fs::read_to_string(&record).unwrap();
    let begun = whole.replace(r#""made":true"#, r#""made":false"#);
    assert_ne!(whole, begun);
    // As a start leaves it that is killed when it has made the bridge.
    let cut_short = || {
        std::fs::write(&record, &begun).unwrap();
        sh("ip addr flush dev fairing0; ip link set fairing0 up");
    };
    cut_short();
    let pod = lab.pod("second", &[], &[]);
    assert_eq!(
        tcp(&pod.netns, OUTSIDE_V4, 80),
        format!("outside {HOST_V4}")
    );
    assert_eq!(std::fs::read_to_string(&record).unwrap(), whole);
    lab.end(pod);
    cut_short();
    lab.gc(&[]);
    lab.wait_for_nothing();
}
