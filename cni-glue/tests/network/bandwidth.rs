//! Limits: that they are there, are seen missing, and hold.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use cni_glue::runtime::Asked;
use cni_glue::{Netns, NetworkError};
use serde_json::{Value, json};

use crate::lab::{Lab, OUTSIDE_V4, Pod, sh, within};
use crate::traffic::{serve, tcp};

/// What a namespace's links have that isn't the kernel's own doing, one a line.
fn buckets(netns: &Netns) -> String {
    within(netns, || sh("tc qdisc show | grep -v noqueue || :"))
}

/// How long bytes take from one namespace to the other over TCP, the receiver or the sender connecting.
pub(crate) fn transfer(from: &Netns, to: &Netns, listener: (&str, bool), bytes: usize) -> Duration {
    let (ip, sender_connects) = listener;
    let (server, client) = if sender_connects {
        (to, from)
    } else {
        (from, to)
    };
    let listener = within(server, || TcpListener::bind("[::]:0").unwrap());
    let port = listener.local_addr().unwrap().port();
    let send = move |mut stream: TcpStream| stream.write_all(&vec![0; bytes]).unwrap();
    let receive = |mut stream: TcpStream| {
        let mut received = Vec::new();
        stream.read_to_end(&mut received).unwrap();
        received.len()
    };
    let start = Instant::now();
    let sender = std::thread::scope(|scope| {
        let accepted = scope.spawn(|| listener.accept().unwrap().0);
        let connected = within(client, || TcpStream::connect((ip, port)).unwrap());
        let accepted = accepted.join().unwrap();
        let (sending, receiving) = if sender_connects {
            (connected, accepted)
        } else {
            (accepted, connected)
        };
        let sender = std::thread::spawn(move || send(sending));
        assert_eq!(receive(receiving), bytes);
        sender
    });
    let took = start.elapsed();
    sender.join().unwrap();
    took
}

fn path_of(netns: &Netns) -> PathBuf {
    let fd = netns.as_fd().as_raw_fd();
    format!("/proc/{}/fd/{fd}", std::process::id()).into()
}

impl Lab {
    fn missing(&self, pod: &Pod) -> String {
        let netns = &mut Netns::open(&path_of(&pod.netns)).unwrap();
        let error = self
            .attacher
            .check(&pod.id, netns, Asked::Everyone)
            .unwrap_err();
        assert!(
            matches!(error, NetworkError::Disconnected { .. }),
            "{error}"
        );
        error.to_string()
    }

    fn check(&self, pod: &Pod) {
        let netns = &mut Netns::open(&path_of(&pod.netns)).unwrap();
        self.attacher
            .check(&pod.id, netns, Asked::Everyone)
            .unwrap();
    }

    fn no_bandwidth(&self, net: &[&str], limits: &str) -> String {
        let error = self.limited_pod("refused", net, limits);
        let error = error.map(|_| ()).unwrap_err();
        assert!(matches!(error, NetworkError::NoBandwidth(_)), "{error}");
        error.to_string()
    }
}

#[test]
fn each_end_of_a_pods_link_has_its_limit() {
    for net in ["default", "default-restricted", "ptp"] {
        let lab = Lab::new();
        let host = Netns::of_this_thread().unwrap();
        let plain = lab.pod("plain", &[net], &[]);
        assert_eq!(buckets(&host) + &buckets(&plain.netns), "", "{net}");
        let limits = "in=10mbit,out=5M,out-burst=128KiB";
        let pod = lab.limited_pod("a", &[net], limits).unwrap();
        let (outer, inner) = (buckets(&host), buckets(&pod.netns));
        assert_eq!((outer.lines().count(), inner.lines().count()), (1, 1));
        for (shown, link, rate) in [
            (&outer, "dev fairing", "rate 10Mbit burst 72Kb"),
            (&inner, "dev eth0", "rate 5Mbit burst 128Kb"),
        ] {
            assert!(shown.starts_with("qdisc tbf 1: "), "{net}: {shown}");
            assert!(shown.contains(link) && shown.contains(rate), "{shown}");
        }
        lab.check(&pod);
        lab.end(pod);
        lab.end(plain);
        lab.gc(&[]);
        lab.wait_for_nothing();
    }
}

#[test]
fn a_direction_without_a_limit_is_left_alone() {
    let lab = Lab::new();
    let host = Netns::of_this_thread().unwrap();
    let pod = lab.limited_pod("out", &[], "out=5M").unwrap();
    assert_eq!(buckets(&host), "");
    assert!(buckets(&pod.netns).contains("rate 5Mbit"));
    lab.check(&pod);
    let pod = lab.limited_pod("in", &[], "in=5M").unwrap();
    assert_eq!(buckets(&pod.netns), "");
    assert!(buckets(&host).contains("rate 5Mbit"));
    lab.check(&pod);
}

#[test]
fn limits_hold_in_both_directions() {
    let lab = Lab::new();
    let (rate, burst) = (500_000, 50_000);
    let limits = "in=4mbit,in-burst=400kbit,out=4mbit,out-burst=400kbit";
    let pod = lab.limited_pod("a", &[], limits).unwrap();
    let bytes = 400_000;
    let least = Duration::from_millis((bytes - burst) as u64 * 1000 / rate);
    let took = transfer(&pod.netns, &lab.outside, (OUTSIDE_V4, true), bytes);
    assert!(took >= least, "from the pod: {took:?} < {least:?}");
    let took = transfer(&lab.outside, &pod.netns, (OUTSIDE_V4, false), bytes);
    assert!(took >= least, "to the pod: {took:?} < {least:?}");
    lab.end(pod);
}

#[test]
fn packets_that_are_larger_than_the_burst_are_taken_apart_and_arrive() {
    let lab = Lab::new();
    let limits = "in=100mbit,in-burst=2KiB,out=100mbit,out-burst=2KiB";
    let pod = lab.limited_pod("a", &[], limits).unwrap();
    for (from, to, sender_connects) in [
        (&pod.netns, &lab.outside, true),
        (&lab.outside, &pod.netns, false),
    ] {
        transfer(from, to, (OUTSIDE_V4, sender_connects), 1_000_000);
    }
    lab.end(pod);
}

#[test]
fn a_limit_that_somebody_changed_is_seen() {
    let lab = Lab::new();
    let pod = lab.limited_pod("a", &[], "in=10mbit,out=5mbit").unwrap();
    let ends = sh("ip -o link | grep -o 'fairing[a-z2-7]\\{8\\}'");
    let end = ends.trim();
    lab.check(&pod);
    let missing = |link: &str| {
        let text = lab.missing(&pod);
        let said = format!("the bandwidth of {link} is not limited as it was");
        assert!(text.contains(&said), "{text}");
    };
    let put = |parameters: &str| {
        sh(&format!(
            "tc qdisc replace dev {end} root handle 1: {parameters}"
        ))
    };
    for other in [
        "tbf rate 11mbit burst 72kb limit 136228",
        "tbf rate 10mbit burst 73kb limit 136228",
        "tbf rate 10mbit burst 72kb limit 136229",
        "htb",
    ] {
        // One kind doesn't become another.
        sh(&format!("tc qdisc del dev {end} root"));
        put(other);
        missing(end);
    }
    sh(&format!("tc qdisc del dev {end} root"));
    missing(end);
    put("tbf rate 10mbit burst 72kb limit 136228");
    lab.check(&pod);
    within(&pod.netns, || sh("tc qdisc del dev eth0 root"));
    missing("eth0");
    lab.end(pod);
}

#[test]
fn every_interface_of_a_pod_has_the_limits() {
    let lab = Lab::new();
    let limits = "in=10mbit,out=5mbit";
    let pod = lab.limited_pod("a", &["default", "ptp"], limits).unwrap();
    let shown = buckets(&pod.netns);
    for interface in ["eth0", "eth1"] {
        let line = format!("dev {interface} root");
        assert!(shown.contains(&line), "{shown}");
    }
    assert_eq!(
        buckets(&Netns::of_this_thread().unwrap()).lines().count(),
        2
    );
    lab.end(pod);
}

#[test]
fn macvlan_limits_what_comes_from_the_pod_and_says_that_it_cannot_the_rest() {
    let lab = Lab::new();
    serve(&lab.outside, 80, "outside");
    let net = "macvlan:IP=192.0.2.50/24;MASTER=uplink";
    let text = lab.no_bandwidth(&[net], "in=4mbit,out=4mbit");
    assert!(text.contains("no place on the host"), "{text}");
    let limits = "out=4mbit,out-burst=400kbit";
    let pod = lab.limited_pod("a", &[net], limits).unwrap();
    assert_eq!(tcp(&pod.netns, OUTSIDE_V4, 80), "outside 192.0.2.50");
    let took = transfer(&pod.netns, &lab.outside, (OUTSIDE_V4, true), 200_000);
    assert!(took >= Duration::from_millis(300), "{took:?}");
    lab.check(&pod);
    within(&pod.netns, || sh("tc qdisc del dev eth0 root"));
    assert!(lab.missing(&pod).contains("eth0 is not limited"));
    lab.end(pod);
}

#[test]
fn limits_that_cannot_be_kept_are_refused_and_leave_nothing() {
    let lab = Lab::new();
    let text = r#"{"cniVersion": "1.0.0", "name": "plain", "plugins": [{"type": "fairing-cni", "mode": "ptp"}]}"#;
    lab.configure("own/10-plain.conflist", text);
    for (net, limits, reason) in [
        (&["none"][..], "in=1M", "in no network"),
        (&["host"], "in=1M", "the host's own network"),
        (&["plain"], "in=1M", "network plain has the capability"),
        // It would be a way around the limit of the other.
        (&["default", "plain"], "in=1M", "network plain has the"),
        (&["default"], "in=1M,in-burst=1500B", "give 1514B at least"),
        (
            &["ptp"],
            "out=1M,out-burst=1500B",
            "smaller than the packets of eth0",
        ),
    ] {
        let text = lab.no_bandwidth(net, limits);
        assert!(text.starts_with("bandwidth can't be limited: "), "{text}");
        assert!(text.contains(reason), "{net:?} {limits}: {text}");
    }
    lab.gc(&[]);
    lab.wait_for_nothing();
}

/// Calls the plugin as another runtime does. Whether it went well, and what it said.
fn call(
    lab: &Lab,
    command: &str,
    netns: &Netns,
    limits: &Value,
    previous: &Value,
) -> (bool, Value) {
    let mut config = json!({
        "cniVersion": "1.0.0", "name": "n", "type": "fairing-cni", "bridge": "fairing7",
        "stateDir": lab.attacher.runtime.state, "runtimeConfig": {"bandwidth": limits},
    });
    if !previous.is_null() {
        config["prevResult"] = previous.clone();
    }
    let mut child = Command::new(env!("CARGO_BIN_EXE_fairing-cni"))
        .env("CNI_COMMAND", command)
        .env("CNI_CONTAINERID", "c")
        .env("CNI_IFNAME", "eth0")
        .env("CNI_NETNS", path_of(netns))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(config.to_string().as_bytes()).unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    let said = serde_json::from_slice(&output.stdout).unwrap_or_default();
    (output.status.success(), said)
}

#[test]
fn other_runtimes_have_limits_by_the_capability() {
    let lab = Lab::new();
    let netns = Netns::with_loopback().unwrap();
    let limits =
        json!({"ingressRate": 10_000_000, "ingressBurst": 524_288, "egressRate": 5_000_000});
    let (done, result) = call(&lab, "ADD", &netns, &limits, &Value::Null);
    assert!(done, "{result}");
    let host = Netns::of_this_thread().unwrap();
    assert!(buckets(&host).contains("rate 10Mbit burst 64Kb"));
    assert!(buckets(&netns).contains("rate 5Mbit"));
    let (done, said) = call(&lab, "CHECK", &netns, &limits, &result);
    assert!(done, "{said}");
    within(&netns, || sh("tc qdisc del dev eth0 root"));
    let (done, said) = call(&lab, "CHECK", &netns, &limits, &result);
    assert!(!done && said["msg"].as_str().unwrap().contains("eth0"));
    assert!(call(&lab, "DEL", &netns, &limits, &result).0);
    for (bad, reason) in [
        (json!({"ingressBurst": 8000}), "a burst needs a rate"),
        (json!({"ingressRate": "10M"}), "10M"),
    ] {
        let (done, said) = call(&lab, "ADD", &netns, &bad, &Value::Null);
        assert!(!done && said["code"] == 7, "{said}");
        let text = said["msg"].as_str().unwrap();
        assert!(
            text.contains("bandwidth: ") && text.contains(reason),
            "{text}"
        );
    }
    lab.gc(&[]);
    lab.wait_for_nothing();
}
