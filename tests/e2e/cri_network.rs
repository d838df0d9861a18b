//! Networks of sandboxes, whoever runs them.

use std::io::ErrorKind;

use cri_shim::api::{DnsConfig, NamespaceMode, PodSandboxConfig, PortMapping, StatusRequest};
use harness::{Cri, ImageBuilder, installed_kernel};

use crate::cri_containers::{Ground, script};
use crate::cri_sandbox;
use crate::network_lab::{HOST, Lab, fetch};

const SERVER: &str = "mkdir /www; hostname > /www/index.html; exec httpd -f -p 80 -h /www";

fn wanted(sandbox: &mut PodSandboxConfig) {
    sandbox.hostname = "web".to_owned();
    sandbox.port_mappings = vec![
        PortMapping {
            container_port: 80,
            host_port: 8080,
            ..PortMapping::default()
        },
        // Only told.
        PortMapping {
            container_port: 81,
            ..PortMapping::default()
        },
    ];
    sandbox.dns_config = Some(DnsConfig {
        servers: vec!["10.96.0.10".to_owned()],
        searches: vec!["default.svc.cluster.local".to_owned()],
        options: vec!["ndots:5".to_owned()],
    });
}

/// A sandbox of a handler is reached at its address and its port, and leaves nothing.
fn is_reached(handler: &str) {
    let lab = Lab::new();
    let kernel = installed_kernel();
    lab.host.write(
        "etc/config.toml",
        format!("[cri]\nnetwork = \"default\"\n[kvm]\nkernel = {kernel:?}\naccel = \"tcg\"\n"),
    );
    let Lab {
        host,
        machine,
        outside,
        ..
    } = lab;
    let ground = Ground::on(host, handler, ImageBuilder::busybox(), wanted);
    let id = ground.run(&script("httpd", SERVER));
    let told = cri_sandbox::status(&ground.cri, &ground.sandbox).unwrap();
    let network = told.network.unwrap();
    let address: std::net::Ipv4Addr = network.ip.parse().unwrap();
    let more: Vec<_> = network.additional_ips.iter().map(|one| &*one.ip).collect();
    let own = ground.sh(
        &id,
        "ip -o addr show dev eth0 scope global | sed 's/.*inet6* \\([^/]*\\).*/\\1/' | sort",
    );
    let mut all = vec![network.ip.clone()];
    all.extend(more.iter().map(|ip| (*ip).to_owned()));
    all.sort();
    assert_eq!(own.lines().collect::<Vec<_>>(), all);
    let resolv = ground.sh(&id, "cat /etc/resolv.conf");
    for line in [
        "nameserver 10.96.0.10",
        "search default.svc.cluster.local",
        "options ndots:5",
    ] {
        assert!(resolv.lines().any(|one| one == line), "{resolv}");
    }
    assert_eq!(fetch(&machine, &format!("{address}:80")), "web");
    assert_eq!(fetch(&outside, &format!("{HOST}:8080")), "web");
    assert!(outside.connect(&format!("{HOST}:81")).is_err());

    cri_sandbox::stop(&ground.cri, &ground.sandbox).unwrap();
    let stopped = cri_sandbox::status(&ground.cri, &ground.sandbox).unwrap();
    assert!(stopped.network.unwrap().ip.is_empty());
    assert!(outside.connect(&format!("{HOST}:8080")).is_err());
    cri_sandbox::remove(&ground.cri, &ground.sandbox).unwrap();
}

#[test]
fn a_sandbox_is_reached_at_its_address_and_its_port() {
    is_reached("");
}

#[test]
fn a_sandbox_in_a_machine_is_reached_at_its_address_and_its_port() {
    is_reached("fairing-kvm");
}

#[test]
fn the_first_network_of_the_node_is_that_of_sandboxes_as_soon_as_it_is_there() {
    let lab = Lab::new();
    let host = &lab.host;
    let cri = Cri::start(host);
    let ready = || {
        let status = cri.call(cri.runtime().status(StatusRequest::default()));
        let conditions = status.unwrap().status.unwrap().conditions;
        let network = conditions.iter().find(|one| one.r#type == "NetworkReady");
        network.unwrap().status
    };
    assert!(!ready());
    for (file, name, subnet) in [
        ("20-back", "back", "10.98.0.0/24"),
        ("10-front", "front", "10.97.0.0/24"),
    ] {
        host.write(
            format!("cni/{file}.conflist"),
            format!(
                r#"{{"cniVersion": "1.1.0", "name": "{name}", "plugins": [{{"type": "fairing-cni",
                "mode": "bridge", "subnet": "{subnet}"}}]}}"#
            ),
        );
    }
    assert!(ready());
    let id = cri_sandbox::run(&cri, &cri_sandbox::config("web")).unwrap();
    let told = cri_sandbox::status(&cri, &id).unwrap();
    let ip = told.network.unwrap().ip;
    assert!(ip.starts_with("10.97.0."), "{ip}");
    let refused = lab.machine.connect(&format!("{ip}:9")).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);

    // Who asks again for what is up needs no network.
    for file in ["20-back", "10-front"] {
        std::fs::remove_file(host.base().join(format!("cni/{file}.conflist"))).unwrap();
    }
    assert!(!ready());
    let again = cri_sandbox::run(&cri, &cri_sandbox::config("web"));
    assert_eq!(again.unwrap(), id);
    cri_sandbox::run(&cri, &cri_sandbox::config("other")).unwrap_err();
    cri_sandbox::remove(&cri, &id).unwrap();
}

/// Kubelets hand the host's file on.
#[test]
fn a_server_behind_an_interface_of_the_host_is_for_sandboxes_in_its_network() {
    for (mode, told) in [
        (NamespaceMode::Pod, "nameserver 192.0.2.1"),
        (
            NamespaceMode::Node,
            "nameserver fe80::1%3\nnameserver 192.0.2.1",
        ),
    ] {
        let ground = Ground::of(ImageBuilder::busybox(), |sandbox| {
            let linux = sandbox.linux.get_or_insert_default();
            let security = linux.security_context.get_or_insert_default();
            let options = security.namespace_options.get_or_insert_default();
            options.network = mode as i32;
            sandbox.dns_config = Some(DnsConfig {
                servers: vec!["fe80::1%3".to_owned(), "192.0.2.1".to_owned()],
                ..DnsConfig::default()
            });
        });
        let said = ground.said("web", "cat /etc/resolv.conf", |_| ());
        assert_eq!(said.trim_end(), told);
    }
}

#[test]
fn where_nothing_is_said_of_names_the_hosts_servers_are_asked() {
    for nothing in [None, Some(DnsConfig::default())] {
        let ground = Ground::of(ImageBuilder::busybox(), |sandbox| {
            sandbox.dns_config.clone_from(&nothing);
        });
        let hosts = std::fs::read_to_string("/etc/resolv.conf").unwrap();
        let said = ground.said("web", "cat /etc/resolv.conf", |_| ());
        assert_eq!(said.trim_end(), hosts.trim_end());
    }
}
