//! Networks of pods in virtual machines: to everyone else, they are those of any pod.

use std::time::Duration;

use harness::{ImageBuilder, Signal, installed_kernel, wait_until};
use rustix::process::{Pid, kill_process};

use crate::network_bandwidth::{LEAST, LIMITS, receive_and_send};
use crate::network_lab::{HOST, HOST_V6, Lab, OUTSIDE, OUTSIDE_V6, fetch, greet};
use crate::stocked::{IMAGE, status, wait_log};

/// Flags of pods in machines.
fn machine() -> [String; 3] {
    let kernel = format!("--kvm-kernel={}", installed_kernel().display());
    [
        "--stage1=kvm".to_owned(),
        "--kvm-accel=tcg".to_owned(),
        kernel,
    ]
}

/// A server in a machine: its pod.
fn server(lab: &Lab, name: &str, flags: &[&str]) -> String {
    let machine = machine();
    let machine = machine.iter().map(String::as_str);
    let flags: Vec<&str> = machine.chain(flags.iter().copied()).collect();
    lab.server(name, &flags)
}

#[test]
fn a_machine_is_reached_and_reaches_others_as_any_pod() {
    let lab = Lab::new();
    let before = lab.traces();
    let pod = server(&lab, "web", &["--port", "8080:80"]);
    assert_eq!(fetch(&lab.outside, &format!("{HOST}:8080")), "web");
    assert_eq!(fetch(&lab.machine, "127.0.0.1:8080"), "web");
    for ipv4 in [true, false] {
        let address = lab.address("web", ipv4);
        let address = match ipv4 {
            true => format!("{address}:80"),
            false => format!("[{address}]:80"),
        };
        assert_eq!(fetch(&lab.machine, &address), "web");
    }
    // A pod under namespaces finds it by its name, and it finds that one.
    assert_eq!(lab.pod(&[], "wget -qO- http://web/"), "web\n");
    let other = lab.server("plain", &[]);
    wait_until("the name of the other pod", Duration::from_secs(20), || {
        let hosts = lab.within(&pod, "cat /etc/hosts");
        hosts.contains("plain").then_some(())
    });
    assert_eq!(lab.within(&pod, "wget -qO- http://plain/"), "plain\n");
    let listener = lab.outside.listen(&format!("{OUTSIDE}:7000"));
    let greeted = greet(listener);
    lab.within(&pod, &format!("nc {OUTSIDE} 7000 < /dev/null"));
    // By the host's address, as for any pod.
    assert!(greeted.join().unwrap().starts_with(HOST));
    lab.stop(&[&pod, &other]);
    lab.host.collect();
    lab.expect_traces(&before);
}

#[test]
fn a_machine_sees_the_address_that_others_see_and_nothing_of_the_host() {
    let lab = Lab::new();
    let pod = server(&lab, "web", &[]);
    let own = lab.listed("web")["networks"][0].clone();
    let shown = lab.within(&pod, "ip addr show eth0; ip route");
    let address = own["addresses"][0]["address"].as_str().unwrap();
    assert!(shown.contains(&format!("inet {address}")), "{shown}");
    assert!(shown.contains(own["mac"].as_str().unwrap()), "{shown}");
    assert!(shown.contains("default via"), "{shown}");
    let links = lab.within(&pod, "ls /sys/class/net");
    assert_eq!(links, "eth0\nlo\n");
    lab.stop(&[&pod]);
}

#[test]
fn a_machine_is_told_to_be_disconnected_when_it_is() {
    let lab = Lab::new();
    let pod = server(&lab, "web", &["--port", "8080:80", "--bandwidth=in=10M"]);
    let status = |flags: &[&str]| {
        let status = lab.host.fairing(["status"]).args(flags).arg(&pod);
        status.run().ok()
    };
    for flags in [vec![], vec!["--check"]] {
        let shown = status(&flags).stdout;
        assert!(shown.contains("network-default=eth0 "), "{shown}");
        assert!(!shown.contains("network-failure"), "{shown}");
    }
    let key = "--format={{.NetworkSettings.SandboxKey}}";
    let inspected = lab.host.fairing(["inspect", key, &pod]).run().ok();
    let taken = std::process::Command::new("nsenter")
        .arg(format!("--net={}", inspected.text()))
        .args(["ip", "link", "del", "eth0"])
        .status();
    assert!(taken.unwrap().success());
    let shown = status(&[]).stdout;
    let line = "network-failure=network default: the pod has no interface eth0\n";
    assert!(shown.contains(line), "{shown}");
    lab.stop(&[&pod]);
}

#[test]
fn a_machine_receives_and_sends_no_faster_than_it_may() {
    let lab = Lab::new();
    let machine = machine();
    let mut flags: Vec<&str> = machine.iter().map(String::as_str).collect();
    flags.push(LIMITS);
    for took in receive_and_send(&lab, &flags) {
        assert!(took >= LEAST, "{took:?} < {LEAST:?}");
    }
}

#[test]
fn ports_of_a_machine_lead_to_it_from_outside_by_either_family_and_protocol() {
    let lab = Lab::with_image(ImageBuilder::probe());
    let before = lab.traces();
    let ports = [
        "--port=8080:80",
        "--port=192.0.2.1:8081:80",
        "--port=5353:7000/udp",
        "--port=9000-9001:80-81",
    ];
    let pod = server(&lab, "web", &ports);
    for address in [
        format!("{HOST}:8080"),
        format!("[{HOST_V6}]:8080"),
        format!("{HOST}:8081"),
        format!("{HOST}:9000"),
    ] {
        assert_eq!(fetch(&lab.outside, &address), "web", "{address}");
    }
    lab.within(&pod, "/probe answer 7000 > /dev/null 2>&1 &");
    for (host, outside) in [
        (HOST.to_owned(), OUTSIDE),
        (format!("[{HOST_V6}]"), OUTSIDE_V6),
    ] {
        let outside = match outside.contains(':') {
            true => format!("[{outside}]:0"),
            false => format!("{outside}:0"),
        };
        let client = lab.outside.datagrams(&outside);
        let to = format!("{host}:5353");
        client
            .set_read_timeout(Some(Duration::from_millis(200)))
            .unwrap();
        let mut answer = [0; 16];
        let length = wait_until("an answer", Duration::from_secs(60), || {
            client.send_to(b"ping", &to).unwrap();
            client.recv(&mut answer).ok()
        });
        assert_eq!(&answer[..length], b"ping, too");
    }
    let shown = lab.host.fairing(["port", "web"]).run().ok().stdout;
    assert!(shown.contains("5353") && shown.contains("9001"), "{shown}");
    lab.stop(&[&pod]);
    lab.host.collect();
    lab.expect_traces(&before);
}

#[test]
fn of_the_networks_of_a_machine_whose_monitor_was_killed_gc_leaves_nothing() {
    let lab = Lab::new();
    let before = lab.traces();
    let run = lab
        .host
        .fairing(["run", "--detach", "--name=victim", "--port=8080:80"]);
    let script = ["--", "/bin/sh", "-c", "echo up; sleep 1000"];
    let run = run.args(machine()).arg(IMAGE).args(script);
    let pod = run.run().ok().text().to_owned();
    wait_log(&lab.host, &pod, "up");
    let monitor = status(&lab.host, "victim")["monitor-pid"].as_i64().unwrap();
    let monitor = Pid::from_raw(i32::try_from(monitor).unwrap()).unwrap();
    kill_process(monitor, Signal::KILL).unwrap();
    wait_until("the machine is gone", Duration::from_secs(10), || {
        lab.host.pod_processes(&pod).is_empty().then_some(())
    });
    lab.host.collect();
    lab.expect_traces(&before);
}
