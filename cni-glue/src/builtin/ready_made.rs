//! The networks that are there without being configured.

use super::config::{BuiltinConfig, Mode, PLUGIN_TYPE};
use crate::config::{NetworkList, Source};

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
