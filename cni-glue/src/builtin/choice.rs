//! What a network gets that is made, unless its configuration says: addresses that are nobody's, its bridge's name,
//! and packets as large as the way out takes.

use std::path::Path;

use sha2::{Digest, Sha256};

use super::config::{BuiltinConfig, LINK_PREFIX, Mode};
use super::forwarding;
use super::lease::hash;
use super::network::Network;
use super::occupied::Occupied;
use crate::config::NetworkList;
use crate::error::NetworkError;
use crate::id::{InterfaceName, NetworkName};
use crate::netlink::link::Link;
use crate::netlink::route::Route;
use crate::netlink::rtnetlink::Rtnetlink;
use crate::subnet::IpNet;

/// Tried in turn until one meets no route of the host: a few large ones, many of four thousand pods each, and
/// others where all of those are somebody's.
fn usual_subnets() -> impl Iterator<Item = IpNet> {
    let net = |octets: [u8; 4], prefix| IpNet::new(octets.into(), prefix);
    let large = (172..=175).map(move |second| net([10, second, 0, 0], 16));
    let many = (176..=191)
        .flat_map(move |second| (0..=15).map(move |third| net([10, second, third << 4, 0], 20)));
    let elsewhere = [net([172, 27, 0, 0], 16), net([192, 168, 172, 0], 24)];
    large.chain(many).chain(elsewhere).flatten()
}

/// Where nothing says otherwise.
const ETHERNET_MTU: u32 = 1500;

/// What a network gets that is about to be made.
pub(super) fn choose(
    state: &Path,
    name: &NetworkName,
    config: &BuiltinConfig,
    host: &mut Rtnetlink,
) -> Result<Network, NetworkError> {
    let bridge = bridge_name(name, config)?;
    let others = Network::all(state)?;
    if let Some(other) = others
        .iter()
        .find(|o| bridge.is_some() && o.bridge == bridge)
    {
        return Err(NetworkError::Setting {
            network: name.to_string(),
            reason: format!("its bridge belongs to network {}", other.name),
        });
    }
    let (routes, links) = routes_and_links(host)?;
    let own = config.mode != Mode::Macvlan;
    let bridge_name = bridge.as_ref().map(InterfaceName::as_str);
    let mut occupied = Occupied::default();
    others.iter().for_each(|other| occupied.add_made(other));
    occupied.add_routes(&routes, &links, bridge_name);
    occupied
        .refuse(config)
        .map_err(|reason| NetworkError::Setting {
            network: name.to_string(),
            reason,
        })?;
    let subnet = match config.subnet {
        None if own => Some(
            usual_subnets()
                .find(|net| occupied.whose(net).is_none())
                .ok_or_else(|| NetworkError::Setting {
                    network: name.to_string(),
                    reason: "each of the usual subnets overlaps a route of the host; choose one by \"subnet\"".into(),
                })?,
        ),
        given => given.map(|net| net.network()),
    };
    let subnet6 = match config.subnet6 {
        None if own && config.ipv6 && forwarding::has_ipv6() => {
            // Without an ID the name alone decides: such a machine has the same addresses as others, which no
            // packet leaves.
            let machine = std::fs::read("/etc/machine-id").unwrap_or_default();
            Some(unique_local(name, &machine))
        }
        given => given.map(|net| net.network()),
    };
    Ok(Network {
        name: name.clone(),
        config: config.clone(),
        bridge,
        subnet,
        subnet6,
        mtu: config.mtu.unwrap_or_else(|| way_out_mtu(&routes, &links)),
        made: false,
    })
}

/// The bridge of a network, if it is of that mode.
pub(super) fn bridge_name(
    name: &NetworkName,
    config: &BuiltinConfig,
) -> Result<Option<InterfaceName>, NetworkError> {
    let bridge = (config.mode == Mode::Bridge).then(|| match &config.bridge {
        Some(bridge) => Ok(bridge.clone()),
        None => format!("{LINK_PREFIX}{:08x}", hash(&[name.as_str()]) & 0xffff_ffff).parse(),
    });
    let named = bridge.transpose();
    named.map_err(|error: crate::id::InvalidName| NetworkError::Setting {
        network: name.to_string(),
        reason: error.to_string(),
    })
}

/// Looks whether a network that is about to be configured could be made: whether its subnets are free, of the host's
/// routes and of the networks that were made or are configured.
///
/// # Errors
/// Whose they are.
pub fn check_subnets(
    state: &Path,
    name: &NetworkName,
    config: &BuiltinConfig,
    configured: &[NetworkList],
) -> Result<(), NetworkError> {
    let mut host = Rtnetlink::open().map_err(NetworkError::at("ask the kernel for routes"))?;
    let (routes, links) = routes_and_links(&mut host)?;
    let mut occupied = Occupied::default();
    let made = Network::all(state)?;
    made.iter().for_each(|other| occupied.add_made(other));
    let others = configured.iter().filter(|list| list.name != *name);
    others.for_each(|list| occupied.add_configured(list));
    occupied.add_routes(&routes, &links, None);
    occupied
        .refuse(config)
        .map_err(|reason| NetworkError::Setting {
            network: name.to_string(),
            reason,
        })
}

fn routes_and_links(host: &mut Rtnetlink) -> Result<(Vec<Route>, Vec<Link>), NetworkError> {
    let routes = host
        .routes()
        .map_err(NetworkError::at("read the host's routes"))?;
    let links = host
        .links()
        .map_err(NetworkError::at("read the host's links"))?;
    Ok((routes, links))
}

/// The largest packet that the way to the outside takes.
fn way_out_mtu(routes: &[Route], links: &[Link]) -> u32 {
    let ways = routes
        .iter()
        .filter(|route| route.destination.prefix() == 0);
    ways.filter_map(|route| links.iter().find(|link| link.index == route.link))
        .map(|link| link.mtu)
        .min()
        .unwrap_or(ETHERNET_MTU)
        .clamp(1280, 65535)
}

/// The link by which the host reaches the outside.
pub(super) fn way_out(host: &mut Rtnetlink) -> Result<Option<Link>, NetworkError> {
    let (routes, links) = routes_and_links(host)?;
    let way = routes.iter().find(|route| route.destination.prefix() == 0);
    Ok(way.and_then(|way| links.into_iter().find(|link| link.index == way.link)))
}

/// A network of unique local addresses (RFC 4193): the same one on each start of the machine with this ID, another one
/// elsewhere.
fn unique_local(name: &NetworkName, machine: &[u8]) -> IpNet {
    let mut hash = Sha256::new();
    hash.update(b"fairing network\0");
    hash.update(machine.trim_ascii());
    hash.update([0]);
    hash.update(name.as_str());
    let [a, b, c, d, e, f, g, ..] = hash.finalize().0;
    let address = [0xfd, a, b, c, d, e, f, g, 0, 0, 0, 0, 0, 0, 0, 0];
    // A prefix of 64 bits is never too long.
    IpNet::new(address.into(), 64).unwrap_or(IpNet::everything(address.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_subnets_for_many_networks() {
        let all: Vec<_> = usual_subnets().collect();
        assert_eq!(all.len(), 4 + 256 + 2);
        for (n, one) in all.iter().enumerate() {
            assert_eq!(*one, one.network());
            assert!(!all.iter().skip(n + 1).any(|other| other.overlaps(one)));
        }
    }

    #[test]
    fn unique_local_networks_differ_by_name_and_machine_and_stay() {
        let net = |name: &str, machine: &str| {
            unique_local(&name.parse().unwrap(), machine.as_bytes()).to_string()
        };
        // A pod keeps its address through an upgrade, so these never change.
        let machine = "0123456789abcdef0123456789abcdef\n";
        assert_eq!(net("a", machine), "fd79:6d5a:ed81:e2e7::/64");
        assert_eq!(net("b", machine), "fdd0:8e0:c22e:4bd3::/64");
        assert_eq!(net("a", machine.trim()), net("a", machine));
        assert_eq!(net("a", "another"), "fdd2:535d:73d5:7975::/64");
        assert_eq!(net("a", ""), "fd74:6234:68ae:38a8::/64");
    }
}
