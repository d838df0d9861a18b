//! `--bandwidth`: what a pod may receive and send.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use crate::network_lab::{Lab, OUTSIDE};
use crate::stocked::IMAGE;

/// Half a megabyte a second, and 50 kB at once.
pub(crate) const LIMITS: &str = "--bandwidth=in=4mbit,in-burst=400kbit,out=4mbit,out-burst=400kbit";
const BYTES: usize = 300_000;
/// How long those take at least. There is no most: the machine may have other things to do.
pub(crate) const LEAST: Duration = Duration::from_millis(500);

/// How long a pod takes to receive and to send.
pub(crate) fn receive_and_send(lab: &Lab, flags: &[&str]) -> [Duration; 2] {
    let listener = lab.outside.listen(&format!("{OUTSIDE}:7000"));
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let start = Instant::now();
        stream.write_all(&vec![0; BYTES]).unwrap();
        drop(stream);
        // It comes back when it has all.
        let (mut stream, _) = listener.accept().unwrap();
        let received = start.elapsed();
        // Nothing is under way before this.
        let start = Instant::now();
        stream.write_all(b"go\n").unwrap();
        let mut sent = String::new();
        stream.read_to_string(&mut sent).unwrap();
        let took = start.elapsed();
        let (count, rest) = sent.split_once('\n').unwrap();
        assert_eq!((count.parse(), rest.len()), (Ok(BYTES), BYTES));
        [received, took]
    });
    let script = format!(
        "mkfifo /tosend; count=$(nc {OUTSIDE} 7000 < /dev/null | wc -c)
         nc {OUTSIDE} 7000 < /tosend | (read go; echo $count; head -c {BYTES} /dev/zero) > /tosend"
    );
    lab.pod(flags, &script);
    server.join().unwrap()
}

#[test]
fn a_pod_receives_and_sends_no_faster_than_it_may() {
    let lab = Lab::new();
    for took in receive_and_send(&lab, &[LIMITS]) {
        assert!(took >= LEAST, "{took:?} < {LEAST:?}");
    }
}

#[test]
fn debians_plugin_for_bandwidth_is_told_the_limits() {
    let lab = Lab::new();
    let data = lab.host.base().join("host-local");
    lab.host.write(
        "etc/net.d/50-lan.conflist",
        format!(
            r#"{{"cniVersion": "1.0.0", "name": "lan", "plugins": [
            {{"type": "bridge", "bridge": "lan0", "isGateway": true, "ipMasq": true,
              "ipam": {{"type": "host-local", "dataDir": "{}", "subnet": "10.95.0.0/24",
                       "routes": [{{"dst": "0.0.0.0/0"}}]}}}},
            {{"type": "bandwidth", "capabilities": {{"bandwidth": true}}}}]}}"#,
            data.display()
        ),
    );
    // The first pod makes the bridge, and plugins leave chains, which stay.
    lab.pod(&["--net=lan", "--bandwidth=in=1G,out=1G"], "true");
    let before = lab.traces();
    for took in receive_and_send(&lab, &["--net=lan", LIMITS]) {
        assert!(took >= LEAST, "{took:?} < {LEAST:?}");
    }
    lab.expect_traces(&before);
}

#[test]
fn limits_are_shown_and_their_loss_is_told() {
    let lab = Lab::new();
    let pod = lab.server("web", &["--bandwidth", "in=10M,out=0.5mbit"]);
    let status = || lab.host.fairing(["status", &pod]).run().ok().stdout;
    let shown = status();
    let line = "\nbandwidth=in=10mbit,in-burst=72KiB,out=500kbit,out-burst=16KiB\n";
    assert!(shown.contains(line), "{shown}");
    assert!(!shown.contains("network-failure"), "{shown}");
    let listed = lab.listed("web");
    assert_eq!(listed["bandwidth"]["ingress"]["rate"], 10_000_000);
    assert_eq!(listed["bandwidth"]["egress"]["burst"], 16_384);
    let end = lab
        .machine
        .sh("ls /sys/class/net 2>/dev/null; tc qdisc show | grep tbf");
    assert!(end.contains("rate 10Mbit"), "{end}");
    // It is not the pod's to change.
    let tool = [
        "enter", &pod, "--", "/bin/ip", "link", "set", "eth0", "down",
    ];
    let refused = lab.host.fairing(tool).run().expect_code(2);
    assert!(refused.stderr.contains("not permitted"), "{refused}");
    lab.machine
        .sh("tc qdisc del dev $(tc qdisc show | sed -n 's/^qdisc tbf .* dev \\(fairing[^ ]*\\) .*/\\1/p') root");
    let shown = status();
    assert!(shown.contains("\nnetwork-failure=network default: the bandwidth of fairing"));
    lab.stop(&[&pod]);
}

#[test]
fn what_cannot_be_limited_is_refused() {
    let lab = Lab::new();
    let run = |flags: &[&str]| {
        let run = lab.host.fairing(["run", "--rm"]).args(flags);
        run.args([IMAGE, "--exec", "/bin/true"]).run()
    };
    for net in ["--net=none", "--net=host"] {
        run(&[net, "--bandwidth=in=1M"]).expect_error(2, &["--bandwidth"]);
    }
    for (limits, reason) in [
        ("--bandwidth=in=10m", "m is a thousandth"),
        ("--bandwidth=out=10mbps", "write mbit"),
        ("--bandwidth=10M", "KEY=VALUE"),
        ("--bandwidth=in=0", "from 1k"),
    ] {
        run(&[limits]).expect_error(2, &["--bandwidth", reason]);
    }
    lab.host.write(
        "etc/net.d/plain.conflist",
        r#"{"cniVersion": "1.0.0", "name": "plain", "plugins": [{"type": "fairing-cni", "mode": "ptp"}]}"#,
    );
    let before = lab.traces();
    run(&["--net=plain", "--bandwidth=in=1M"])
        .expect_error(125, &["bandwidth can't be limited", "plain", "capability"]);
    run(&["--net=macvlan:IP=192.0.2.9/24", "--bandwidth=in=1M"])
        .expect_error(125, &["bandwidth can't be limited", "macvlan"]);
    run(&["--bandwidth=out=1M,out-burst=1000B"]).expect_error(125, &["1514B"]);
    assert!(lab.host.pod_folders().is_empty());
    lab.host.collect();
    lab.expect_traces(&before);
}
