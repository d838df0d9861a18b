//! Networks in the spelling of docker and podman.

use std::net::IpAddr;

use cni_glue::builtin::{BuiltinConfig, PLUGIN_TYPE};
use cni_glue::config::NetworkList;
use cni_glue::subnet::IpNet;
use serde_json::{Map, Value, json};

/// What there is of a network: its subnets with the ways out, as it was made, and those in it, which are what docker has as
/// containers, by their UUIDs.
pub(crate) fn of_network(
    list: &NetworkList,
    made: &[(IpNet, Option<IpAddr>)],
    pods: Map<String, Value>,
) -> Value {
    let first = list.plugins.first();
    let builtin = first
        .filter(|plugin| plugin.kind == PLUGIN_TYPE)
        .and_then(|plugin| BuiltinConfig::parse(&list.name, &plugin.fields).ok());
    let driver = match (&builtin, first) {
        (Some(config), _) => json!(config.mode),
        (None, Some(plugin)) => json!(plugin.kind),
        (None, None) => json!(""),
    };
    let settings = builtin.as_ref();
    let asked = settings.into_iter().flat_map(|config| {
        let subnets = [config.subnet, config.subnet6].into_iter().flatten();
        subnets.map(|subnet| (subnet, config.gateway))
    });
    let subnets: Vec<_> = match made.is_empty() {
        true => asked.collect(),
        false => made.to_vec(),
    };
    let subnets = subnets.iter().map(|(subnet, gateway)| {
        let gateway = gateway.map(|gateway| gateway.to_string());
        json!({ "Subnet": subnet.to_string(), "Gateway": gateway.unwrap_or_default() })
    });
    json!({
        "Name": list.name,
        "Id": list.name,
        "ID": list.name,
        "Driver": driver,
        "Scope": "local",
        "EnableIPv6": settings.is_some_and(|config| config.ipv6),
        "IPv6": settings.is_some_and(|config| config.ipv6),
        "Internal": settings.is_some_and(|config| config.restricted),
        "IPAM": { "Driver": "default", "Options": {}, "Config": subnets.collect::<Vec<_>>() },
        "Containers": pods,
        "Options": {},
        "Labels": {},
    })
}
