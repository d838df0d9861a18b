//! Addresses that are somebody's: those that the host has a route to, and those of other networks.

use super::config::{BuiltinConfig, Mode, PLUGIN_TYPE};
use super::network::Network;
use crate::config::NetworkList;
use crate::netlink::link::Link;
use crate::netlink::route::Route;
use crate::subnet::IpNet;

/// Subnets that a network can't have, each with whose it is, in words.
#[derive(Debug, Default)]
pub(super) struct Occupied(Vec<(IpNet, String)>);

impl Occupied {
    /// What the host has a route to, unless that leads to everywhere or to the network's own bridge. To be added last:
    /// other networks have routes too, and say more.
    pub(super) fn add_routes(&mut self, routes: &[Route], links: &[Link], bridge: Option<&str>) {
        for route in routes {
            let link = links.iter().find(|link| link.index == route.link);
            let link = link.map(|link| link.name.as_str());
            let is_own = link.is_some() && link == bridge;
            if route.destination.prefix() > 0 && !is_own {
                let by = link.map_or_else(String::new, |name| format!(" by {name}"));
                let owner = format!("the host's route to {}{by}", route.destination);
                self.0.push((route.destination, owner));
            }
        }
    }

    /// What a network has that was made.
    pub(super) fn add_made(&mut self, network: &Network) {
        for net in [network.subnet, network.subnet6].into_iter().flatten() {
            self.0
                .push((net, format!("{net} of network {}", network.name)));
        }
    }

    /// What a network is to have by its configuration, once somebody joins it.
    pub(super) fn add_configured(&mut self, list: &NetworkList) {
        let own = list.plugins.iter().filter(|p| p.kind == PLUGIN_TYPE);
        for config in own.filter_map(|p| BuiltinConfig::parse(&list.name, &p.fields).ok()) {
            // Interfaces on top of another share what that one is in.
            if config.mode == Mode::Macvlan {
                continue;
            }
            for net in [config.subnet, config.subnet6].into_iter().flatten() {
                let net = net.network();
                self.0
                    .push((net, format!("{net} of network {}", list.name)));
            }
        }
    }

    /// Whose addresses are among these.
    pub(super) fn whose(&self, net: &IpNet) -> Option<&str> {
        let mut owners = self.0.iter().filter(|(other, _)| other.overlaps(net));
        owners.next().map(|(_, owner)| owner.as_str())
    }

    /// Refuses subnets that were asked for and are somebody's.
    pub(super) fn refuse(&self, config: &BuiltinConfig) -> Result<(), String> {
        if config.mode == Mode::Macvlan {
            return Ok(());
        }
        let wanted = [config.subnet, config.subnet6];
        for net in wanted.into_iter().flatten() {
            if let Some(owner) = self.whose(&net) {
                return Err(format!("{net} overlaps {owner}; choose another subnet"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Source;

    fn net(text: &str) -> IpNet {
        text.parse().unwrap()
    }

    fn list(text: &str) -> NetworkList {
        NetworkList::parse(text.as_bytes(), Source::BuiltIn).unwrap()
    }

    fn config(name: &str, settings: &str) -> BuiltinConfig {
        let list = list(&format!(
            r#"{{"cniVersion": "1.1.0", "name": "{name}", "plugins": [{{"type": "fairing-cni", {settings}}}]}}"#
        ));
        BuiltinConfig::parse(&list.name, &list.plugins[0].fields).unwrap()
    }

    #[test]
    fn routes_are_named_by_destination() {
        let route = |destination: &str| Route {
            destination: net(destination),
            gateway: None,
            link: 7,
        };
        let routes = [route("0.0.0.0/0"), route("10.8.0.0/13"), route("fd00::/64")];
        let mut occupied = Occupied::default();
        occupied.add_routes(&routes, &[], None);
        assert_eq!(occupied.whose(&net("192.0.2.0/24")), None);
        assert_eq!(
            occupied.whose(&net("10.9.0.0/24")),
            Some("the host's route to 10.8.0.0/13")
        );
        let bridge = |settings: &str| occupied.refuse(&config("lan", settings));
        assert_eq!(
            bridge(r#""mode": "bridge", "subnet": "10.16.0.0/24""#),
            Ok(())
        );
        assert_eq!(
            bridge(r#""mode": "ptp", "subnet": "10.9.0.0/24""#),
            Err(
                "10.9.0.0/24 overlaps the host's route to 10.8.0.0/13; choose another subnet"
                    .into()
            )
        );
        assert_eq!(
            bridge(r#""mode": "bridge", "subnet6": "fd00::/48""#),
            Err("fd00::/48 overlaps the host's route to fd00::/64; choose another subnet".into())
        );
        assert_eq!(
            bridge(r#""mode": "macvlan", "subnet": "10.9.0.0/24""#),
            Ok(())
        );
    }

    #[test]
    fn networks_that_nobody_has_joined_yet_have_their_subnets() {
        let mut occupied = Occupied::default();
        occupied.add_configured(&list(
            r#"{"cniVersion": "1.1.0", "name": "lan", "plugins": [
                {"type": "fairing-cni", "mode": "bridge", "subnet": "10.9.0.7/24"}]}"#,
        ));
        occupied.add_configured(&list(
            r#"{"cniVersion": "1.1.0", "name": "over", "plugins": [
                {"type": "fairing-cni", "mode": "macvlan", "subnet": "10.10.0.0/24"}]}"#,
        ));
        assert_eq!(
            occupied.whose(&net("10.0.0.0/8")),
            Some("10.9.0.0/24 of network lan")
        );
        assert_eq!(occupied.whose(&net("10.10.0.0/24")), None);
    }
}
