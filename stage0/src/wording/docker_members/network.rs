//! Networks in the spelling of docker and podman.

use cni_glue::builtin::{BuiltinConfig, PLUGIN_TYPE};
use cni_glue::config::NetworkList;
use serde_json::{Map, Value, json};

/// What there is of a network; of those in it, `pods` is what docker has as containers, by their UUIDs.
pub(crate) fn of_network(list: &NetworkList, pods: Map<String, Value>) -> Value {
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
    let subnets = settings.into_iter().flat_map(|config| {
        let subnets = [config.subnet, config.subnet6];
        subnets.into_iter().flatten().map(|subnet| {
            json!({ "Subnet": subnet.to_string(), "Gateway": config.gateway.map(|ip| ip.to_string()) })
        })
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
