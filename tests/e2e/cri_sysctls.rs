//! Kernel parameters of sandboxes, as their containers see them.

use std::collections::BTreeMap;
use std::fs;

use cri_shim::api::{NamespaceMode, PodSandboxConfig};
use harness::ImageBuilder;

use crate::cri_containers::{Ground, security};

const PORTS: &str = "net/ipv4/ip_unprivileged_port_start";
const PING: &str = "net/ipv4/ping_group_range";

/// Parameters as a container of such a sandbox reads them.
fn read(names: &[&str], mode: NamespaceMode, change: fn(&mut PodSandboxConfig)) -> Vec<String> {
    let ground = Ground::of(ImageBuilder::busybox(), |sandbox| {
        let linux = sandbox.linux.get_or_insert_default();
        let security = linux.security_context.get_or_insert_default();
        let options = security.namespace_options.get_or_insert_default();
        options.network = mode as i32;
        change(sandbox);
    });
    let text = format!("cd /proc/sys; cat {}", names.join(" "));
    let said = ground.said("web", &text, |config| {
        let options = security(config).namespace_options.get_or_insert_default();
        options.network = mode as i32;
    });
    let values = said.lines();
    values.map(|value| value.replace('\t', " ")).collect()
}

fn set(sandbox: &mut PodSandboxConfig, parameters: &[(&str, &str)]) {
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let parameters: BTreeMap<_, _> = parameters.iter().map(own).collect();
    sandbox.linux.get_or_insert_default().sysctls = parameters;
}

#[test]
fn containers_have_the_parameters_of_their_sandbox() {
    let names = [
        "net/core/somaxconn",
        "net/ipv4/ip_local_port_range",
        "kernel/shm_rmid_forced",
        "fs/mqueue/msg_max",
    ];
    let values = read(&names, NamespaceMode::Pod, |sandbox| {
        let parameters = [
            ("net.core.somaxconn", "1000"),
            ("net/ipv4/ip_local_port_range", "20000 30000"),
            ("kernel.shm_rmid_forced", "1"),
            ("fs.mqueue.msg_max", "20"),
        ];
        set(sandbox, &parameters);
    });
    assert_eq!(values, ["1000", "20000 30000", "1", "20"]);
}

#[test]
fn low_ports_and_pings_are_everybodys_in_a_network_of_its_own() {
    let usual = read(&[PORTS, PING], NamespaceMode::Pod, |_| ());
    assert_eq!(usual, ["0", "0 2147483647"]);
    let own = read(&[PORTS, PING], NamespaceMode::Pod, |sandbox| {
        let parameters = [
            ("net.ipv4.ip_unprivileged_port_start", "1024"),
            ("net.ipv4.ping_group_range", "1 0"),
        ];
        set(sandbox, &parameters);
    });
    assert_eq!(own, ["1024", "1 0"]);
    let hosts = |name: &str| {
        let value = fs::read_to_string(format!("/proc/sys/{name}")).unwrap();
        value.trim_end().replace('\t', " ")
    };
    let of_host = read(&[PORTS, PING], NamespaceMode::Node, |_| ());
    assert_eq!(of_host, [hosts(PORTS), hosts(PING)]);
}
