//! Networks of pods in virtual machines: to everyone else, they are those of any pod.

use std::time::Duration;

use harness::{Signal, installed_kernel, wait_until};
use rustix::process::{Pid, kill_process};

use crate::network_lab::{HOST, Lab, OUTSIDE, fetch, greet};
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
