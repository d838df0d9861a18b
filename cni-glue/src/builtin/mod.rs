//! Networks that need no plugin: a bridge with addresses, masquerading and port forwarding; the same without a way out;
//! pairs of links without a bridge; and links on top of one of the host's.
//!
//! They are configured as any network is, by plugins of the type [`PLUGIN_TYPE`], and that is how the ready-made ones
//! are written down too; only that no program is run for it.
//!
//! A pod's link is made where it belongs, both ends up at once, in as few messages as possible: each operation
//! that moves or stops a link waits for the kernel's grace periods, milliseconds each.

mod addressing;
mod choice;
mod config;
mod firewall;
mod forwarding;
mod lease;
mod network;
mod occupied;
mod pod_link;
mod shaping;
mod sweep;
mod verbs;

pub use choice::check_subnets;
pub(crate) use config::check_arguments;
pub use config::{BuiltinConfig, Mode};
pub(crate) use firewall::foreign_drops;
pub(crate) use firewall::forget_ports;
pub(crate) use lease::Leases;
pub use lease::Peer;
pub(crate) use network::{is_made, made};
pub(crate) use sweep::sweep;
pub(crate) use verbs::{Builtin, Membership};

use crate::config::{NetworkList, Source};

/// The type by which configurations call for this, and the name of the program that other runtimes call.
pub const PLUGIN_TYPE: &str = "fairing-cni";

/// How the name of every interface begins that is made on the host.
pub(crate) const LINK_PREFIX: &str = "fairing";

/// The ready-made networks.
const READY_MADE: [&str; 4] = [
    r#"{"cniVersion": "1.1.0", "name": "default", "plugins": [{"type": "fairing-cni",
        "mode": "bridge", "bridge": "fairing0",
        "capabilities": {"portMappings": true, "ips": true, "mac": true, "bandwidth": true}}]}"#,
    r#"{"cniVersion": "1.1.0", "name": "default-restricted", "plugins": [{"type": "fairing-cni",
        "mode": "bridge", "bridge": "fairing1", "restricted": true,
        "capabilities": {"portMappings": true, "ips": true, "mac": true, "bandwidth": true}}]}"#,
    r#"{"cniVersion": "1.1.0", "name": "macvlan", "plugins": [{"type": "fairing-cni",
        "mode": "macvlan", "capabilities": {"ips": true, "mac": true, "bandwidth": true}}]}"#,
    r#"{"cniVersion": "1.1.0", "name": "ptp", "plugins": [{"type": "fairing-cni",
        "mode": "ptp", "capabilities": {"portMappings": true, "ips": true, "mac": true, "bandwidth": true}}]}"#,
];

/// Whether pods of a network reach the outside only through the chains of this host that see what is forwarded.
pub fn is_forwarded(list: &NetworkList) -> bool {
    let mut own = list.plugins.iter().filter(|p| p.kind == PLUGIN_TYPE);
    own.any(|plugin| {
        BuiltinConfig::parse(&list.name, &plugin.fields)
            .is_ok_and(|config| config.mode != Mode::Macvlan && !config.restricted)
    })
}

/// The ready-made networks, by name.
pub(crate) fn networks() -> impl Iterator<Item = NetworkList> {
    // A test reads them all.
    READY_MADE
        .iter()
        .filter_map(|text| NetworkList::parse(text.as_bytes(), Source::BuiltIn).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ready_made_networks_are_sound() {
        let lists: Vec<_> = networks().collect();
        assert_eq!(lists.len(), READY_MADE.len());
        for list in lists {
            let plugin = &list.plugins[0];
            assert_eq!(plugin.kind, PLUGIN_TYPE);
            BuiltinConfig::parse(&list.name, &plugin.fields).unwrap();
            assert!(plugin.can("bandwidth"), "{}", list.name);
            let forwarded = ["default", "ptp"].contains(&list.name.as_str());
            assert_eq!(is_forwarded(&list), forwarded, "{}", list.name);
        }
    }
}
