//! Whose a port is: with one interface of a container go its ports, and those of no other.

use std::io::Write;
use std::net::TcpStream;
use std::os::fd::{AsFd, AsRawFd};
use std::process::{Command, Stdio};

use cni_glue::Netns;
use cni_glue::runtime::Asked;
use serde_json::{Value, json};

use crate::lab::{Lab, sh};
use crate::traffic::{serve, tcp_here};

fn path(netns: &Netns) -> String {
    let fd = netns.as_fd().as_raw_fd();
    format!("/proc/{}/fd/{fd}", std::process::id())
}

/// A container's place in a network of the program `fairing-cni`.
struct Place<'a> {
    network: &'a str,
    container: &'a str,
    interface: &'a str,
    netns: &'a Netns,
    ports: &'a [u16],
}

impl Place<'_> {
    /// Calls the program. What it answers, and whether it succeeds.
    fn call(&self, lab: &Lab, command: &str, more: Value) -> (bool, Value) {
        let told = |port: &u16| json!({"hostPort": port, "containerPort": 80});
        let mut config = json!({
            "cniVersion": "1.1.0", "name": self.network, "type": "fairing-cni",
            "stateDir": lab.attacher.runtime.state,
            "runtimeConfig": {"portMappings": self.ports.iter().map(told).collect::<Vec<_>>()},
        });
        for (key, value) in more.as_object().unwrap() {
            config[key] = value.clone();
        }
        let mut child = Command::new(env!("CARGO_BIN_EXE_fairing-cni"))
            .env("CNI_COMMAND", command)
            .env("CNI_CONTAINERID", self.container)
            .env("CNI_IFNAME", self.interface)
            .env("CNI_NETNS", path(self.netns))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(config.to_string().as_bytes()).unwrap();
        drop(stdin);
        let output = child.wait_with_output().unwrap();
        let answer = serde_json::from_slice(&output.stdout).unwrap_or_default();
        (output.status.success(), answer)
    }

    fn add(&self, lab: &Lab) -> Value {
        let (good, answer) = self.call(lab, "ADD", json!({}));
        assert!(good, "{answer}");
        answer
    }

    fn del(&self, lab: &Lab) {
        let (good, answer) = self.call(lab, "DEL", json!({}));
        assert!(good, "{answer}");
    }

    fn check(&self, lab: &Lab, result: &Value) {
        let (good, answer) = self.call(lab, "CHECK", json!({"prevResult": result}));
        assert!(good, "{answer}");
    }

    /// None of the network's places is left but these.
    fn gc(&self, lab: &Lab, valid: &[&Place<'_>]) {
        let valid: Vec<_> = valid
            .iter()
            .map(|p| json!({"containerID": p.container, "ifname": p.interface}))
            .collect();
        let (good, answer) = self.call(lab, "GC", json!({"cni.dev/valid-attachments": valid}));
        assert!(good, "{answer}");
    }
}

/// Who is reached by a port of the host, if anybody.
fn reached(port: u16) -> Option<String> {
    // What leads nowhere is refused at once.
    TcpStream::connect(("127.0.0.1", port)).ok()?;
    Some(tcp_here("127.0.0.1", port).split(' ').next()?.to_owned())
}

#[test]
fn a_container_that_leaves_one_network_keeps_its_ports_in_the_other() {
    let lab = Lab::new();
    let (one, two) = (
        Netns::with_loopback().unwrap(),
        Netns::with_loopback().unwrap(),
    );
    serve(&one, 80, "one");
    serve(&two, 80, "two");
    let place = |network, container, interface, netns, ports| Place {
        network,
        container,
        interface,
        netns,
        ports,
    };
    let first = place("front", "one", "eth0", &one, &[8081, 8083]);
    let second = place("back", "one", "eth1", &one, &[8082]);
    let other = place("front", "two", "eth0", &two, &[8081]);
    let greedy = place("front", "two", "eth1", &two, &[8082]);
    let results = (first.add(&lab), second.add(&lab));
    for port in [8081, 8082, 8083] {
        assert_eq!(reached(port).as_deref(), Some("one"));
    }
    first.check(&lab, &results.0);
    second.check(&lab, &results.1);

    // What leaves gives back its own, and nobody gets what is not given back.
    first.del(&lab);
    second.check(&lab, &results.1);
    assert_eq!(reached(8081), None);
    assert_eq!(reached(8082).as_deref(), Some("one"));
    let (good, answer) = greedy.call(&lab, "ADD", json!({}));
    assert!(!good);
    assert_eq!(answer["msg"], "port 8082/tcp belongs to pod one");
    greedy.del(&lab);
    other.add(&lab);
    assert_eq!(reached(8081).as_deref(), Some("two"));

    // So does what is collected.
    first_again(&lab, &first);
    first.gc(&lab, &[&other]);
    assert_eq!(reached(8083), None);
    assert_eq!(reached(8081).as_deref(), Some("two"));
    assert_eq!(reached(8082).as_deref(), Some("one"));
    second.gc(&lab, &[]);
    assert_eq!(reached(8082), None);
    assert_eq!(reached(8081).as_deref(), Some("two"));
    other.del(&lab);
    other.gc(&lab, &[]);
    lab.wait_for_nothing();
}

/// The place without the port that is another's by now.
fn first_again(lab: &Lab, first: &Place<'_>) {
    let ports = [8083];
    Place {
        ports: &ports,
        ..*first
    }
    .add(lab);
    assert_eq!(reached(8083).as_deref(), Some("one"));
}

#[test]
fn a_port_asked_for_in_two_networks_takes_no_other_with_it() {
    let lab = Lab::new();
    let netns = Netns::with_loopback().unwrap();
    serve(&netns, 80, "one");
    let place = |network, interface, ports| Place {
        network,
        container: "one",
        interface,
        netns: &netns,
        ports,
    };
    // Some runtimes tell every network all ports.
    let first = place("front", "eth0", &[8081, 8082]);
    let second = place("back", "eth1", &[8082]);
    let results = (first.add(&lab), second.add(&lab));
    first.check(&lab, &results.0);
    second.check(&lab, &results.1);
    second.del(&lab);
    assert_eq!(reached(8081).as_deref(), Some("one"));
    first.del(&lab);
    assert_eq!(reached(8081), None);
    first.gc(&lab, &[]);
    second.gc(&lab, &[]);
    lab.wait_for_nothing();
}

#[test]
fn a_port_that_leads_elsewhere_is_told() {
    let lab = Lab::new();
    let pod = lab.pod("a", &[], &["8080-8081:80-81"]);
    let check = || {
        let mut netns = Netns::open(path(&pod.netns).as_ref()).unwrap();
        let checked = lab.attacher.check(&pod.id, &mut netns, Asked::Everyone);
        checked.map_err(|error| error.to_string())
    };
    assert_eq!(check(), Ok(()));
    let element = "inet fairing ports-v4 { tcp . 8081";
    let target = format!("{} . 81", pod.address(true));
    for (elsewhere, reason) in [
        (Some("10.99.9.9 . 81"), "leads elsewhere"),
        (Some("10.99.9.9 . 82"), "leads elsewhere"),
        (None, "is not forwarded"),
    ] {
        // There are as many as before.
        let map = sh(&format!(
            "nft delete element {element} }}; nft list map inet fairing ports-v4"
        ));
        assert!(
            map.contains(&pod.address(true)) && !map.contains("8081"),
            "{map}"
        );
        if let Some(elsewhere) = elsewhere {
            sh(&format!(
                "nft add element {element} comment '\"a/eth0\"' : {elsewhere} }}"
            ));
        } else {
            sh(&format!(
                "nft add element inet fairing ports-v4 '{{ tcp . 9999 comment \"a/eth0\" : {target} }}'"
            ));
        }
        // The mapping is told as it was asked for, port by port.
        assert_eq!(
            check(),
            Err(format!("network default: port 8081/tcp {reason}"))
        );
        if elsewhere.is_none() {
            sh("nft delete element inet fairing ports-v4 '{ tcp . 9999 }'");
            sh(&format!(
                "nft add element {element} comment '\"a/eth0\"' : {target} }}"
            ));
        }
    }
    assert_eq!(check(), Ok(()));
    lab.end(pod);
    lab.gc(&[]);
    lab.wait_for_nothing();
}
