//! Networks, ports and names of a pod.

use std::collections::BTreeMap;

use cni_glue::config::Selection;
use cni_glue::names::DnsOptions;
use cni_glue::ports::{ContainerPort, PortSpec};
use engine::networks::spec::NetworkSpec;

use crate::kubernetes::{DnsPolicy, Pod, PodSpec};
use crate::reading::Error;

/// What is asked of a pod's networks.
pub(super) fn network(pod: &Pod) -> Result<NetworkSpec, Error> {
    let spec = &pod.spec;
    let place = &pod.metadata.place;
    let (selection, is_usual) = match spec.host_network {
        true => (Selection::Host, false),
        false => (
            Selection::parse([]).map_err(|error| place.wrong(error))?,
            true,
        ),
    };
    Ok(NetworkSpec {
        is_usual,
        ports: ports(spec)?,
        dns: dns(pod)?,
        hosts: spec.host_aliases.clone(),
        ..NetworkSpec::from(selection)
    })
}

fn ports(spec: &PodSpec) -> Result<Vec<PortSpec>, Error> {
    let mut taken = BTreeMap::new();
    let mut ports = Vec::new();
    let containers = spec.init_containers.iter().chain(&spec.containers);
    for port in containers.flat_map(|container| &container.ports) {
        let Some(host) = port.host else {
            continue;
        };
        let protocol = port.protocol;
        if spec.host_network {
            if host != port.container {
                let text = "with hostNetwork, hostPort is the same as containerPort";
                return Err(port.place.wrong(text));
            }
            continue;
        }
        let key = (port.host_ip, host, format!("{protocol:?}"));
        if taken.insert(key, ()).is_some() {
            let text = format!("port {host} of the host is asked for twice");
            return Err(port.place.wrong(text));
        }
        ports.push(PortSpec {
            host_ip: port.host_ip,
            host_port: host,
            count: 1,
            container: ContainerPort::Number(port.container, 1),
            protocol: Some(protocol),
        });
    }
    Ok(ports)
}

fn dns(pod: &Pod) -> Result<DnsOptions, Error> {
    let config = &pod.spec.dns_config;
    let place = config.place.as_ref().unwrap_or(&pod.metadata.place);
    let mut servers: Vec<&str> = config.servers.iter().map(String::as_str).collect();
    match (pod.spec.dns_policy, servers.is_empty()) {
        (DnsPolicy::None, true) => {
            return Err(place.wrong("with dnsPolicy None, nameservers have to be given"));
        }
        (DnsPolicy::Host, true) => servers.push("host"),
        _ => {}
    }
    let words = |words: &'_ [String]| words.to_vec();
    let (searches, options) = (words(&config.searches), words(&config.options));
    let parsed = DnsOptions::parse(
        servers,
        searches.iter().map(String::as_str),
        options.iter().map(String::as_str),
    );
    parsed.map_err(|error| place.wrong(error))
}
