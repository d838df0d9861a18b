//! A built-in network on this machine: which addresses it has, and its bridge. Made when the first pod joins, and
//! written down; every later start reads that and asks the kernel for no more than the bridge's number.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::config::{BuiltinConfig, Mode};
use super::lease::{Leases, hash};
use super::occupied::Occupied;
use super::{LINK_PREFIX, firewall, forwarding};
use crate::config::NetworkList;
use crate::error::NetworkError;
use crate::id::{InterfaceName, NetworkName};
use crate::mac::Mac;
use crate::netlink::link::{self, Ipv4Setting, Link};
use crate::netlink::message::Batch;
use crate::netlink::rtnetlink::Rtnetlink;
use crate::netlink::{address, route::Route};
use crate::record::{self, FileError, Lock};
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

/// A network as it was made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Network {
    pub(crate) name: NetworkName,
    /// The settings that it was made of.
    pub(crate) config: BuiltinConfig,
    /// The bridge.
    pub(crate) bridge: Option<InterfaceName>,
    pub(crate) subnet: Option<IpNet>,
    pub(crate) subnet6: Option<IpNet>,
    pub(crate) mtu: u32,
    /// Whether all of it is there. It is written down before it is made, so that `gc` finds what was begun.
    #[serde(default = "yes")]
    pub(crate) made: bool,
}

fn yes() -> bool {
    true
}

fn folder(state: &Path) -> PathBuf {
    state.join("networks")
}

fn record_path(state: &Path, name: &NetworkName) -> PathBuf {
    folder(state).join(name.as_str()).join("network.json")
}

/// Held while a network is made or removed, or the table of rules.
pub(super) fn setup_lock(state: &Path) -> Result<Lock, NetworkError> {
    Ok(Lock::exclusive(&state.join("setup.lock"))?)
}

impl Network {
    /// The network as it was made; `None` if it wasn't.
    pub(crate) fn load(state: &Path, name: &NetworkName) -> Result<Option<Self>, NetworkError> {
        match record::read_json(&record_path(state, name)) {
            Err(FileError::Damaged { path, reason }) => Err(NetworkError::DamagedNetwork {
                network: name.to_string(),
                path,
                reason,
            }),
            outcome => Ok(outcome?),
        }
    }

    /// All networks that were made. One whose record is damaged is in nobody else's way.
    pub(crate) fn all(state: &Path) -> Result<Vec<Self>, NetworkError> {
        let mut networks = Vec::new();
        for name in Self::names(state)? {
            match Self::load(state, &name) {
                Err(NetworkError::DamagedNetwork { .. }) => (),
                network => networks.extend(network?),
            }
        }
        Ok(networks)
    }

    /// The names of all networks of which anything is kept.
    pub(crate) fn names(state: &Path) -> Result<Vec<NetworkName>, FileError> {
        let names = record::names(&folder(state))?;
        Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
    }

    /// The address of the host in this network, and the pods' way out.
    pub(crate) fn gateway(&self, ipv4: bool) -> Option<IpAddr> {
        let subnet = if ipv4 { self.subnet } else { self.subnet6 };
        match self.config.mode {
            Mode::Macvlan => self.config.gateway.filter(|ip| ip.is_ipv4() == ipv4),
            Mode::Bridge | Mode::Ptp => subnet?.nth(1),
        }
    }

    /// Makes the network, or what is missing of it. The bridge, if it is of that mode.
    pub(crate) fn set_up(
        state: &Path,
        name: &NetworkName,
        config: &BuiltinConfig,
        host: &mut Rtnetlink,
    ) -> Result<(Self, Option<Link>), NetworkError> {
        let _lock = setup_lock(state)?;
        let network = match Self::load(state, name) {
            // Without pods nothing is lost.
            Err(NetworkError::DamagedNetwork { .. })
                if Leases::of(state, name).list()?.is_empty() =>
            {
                Self::discard(state, name, config, host)?;
                None
            }
            found => found?,
        };
        let mut network = match network {
            Some(found) if found.config == *config => found,
            Some(found) => {
                if !Leases::of(state, name).list()?.is_empty() {
                    return Err(NetworkError::Setting {
                        network: name.to_string(),
                        reason:
                            "its configuration was changed while pods are in it; stop them first"
                                .into(),
                    });
                }
                found.take_down(state, host)?;
                Self::choose(state, name, config, host)?
            }
            None => Self::choose(state, name, config, host)?,
        };
        let record = record_path(state, name);
        network.made = false;
        record::write_json(&record, "new", &network)?;
        let bridge = network.make_bridge(host)?;
        network.made = true;
        record::write_json(&record, "new", &network)?;
        firewall::set_up(state)?;
        Ok((network, bridge))
    }

    fn choose(
        state: &Path,
        name: &NetworkName,
        config: &BuiltinConfig,
        host: &mut Rtnetlink,
    ) -> Result<Self, NetworkError> {
        let bridge = bridge_name(name, config)?;
        let others = Self::all(state)?;
        if let Some(other) = others
            .iter()
            .find(|o| bridge.is_some() && o.bridge == bridge)
        {
            return Err(NetworkError::Setting {
                network: name.to_string(),
                reason: format!("its bridge is that of network {}", other.name),
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
                        reason: "each of the usual subnets meets a route of the host; choose one by \"subnet\"".into(),
                    })?,
            ),
            given => given.map(|net| net.network()),
        };
        let subnet6 = match config.subnet6 {
            None if own && config.ipv6 && forwarding::has_ipv6() => Some(unique_local(name)),
            given => given.map(|net| net.network()),
        };
        Ok(Self {
            name: name.clone(),
            config: config.clone(),
            bridge,
            subnet,
            subnet6,
            mtu: config.mtu.unwrap_or_else(|| way_out_mtu(&routes, &links)),
            made: false,
        })
    }

    /// Makes the bridge, or gives one that is there what it needs.
    fn make_bridge(&self, host: &mut Rtnetlink) -> Result<Option<Link>, NetworkError> {
        let Some(name) = &self.bridge else {
            return Ok(None);
        };
        let failed = |what: &str| NetworkError::at(format!("{what} the bridge {name}"));
        let mac = Mac::of(
            self.gateway(true)
                .or(self.gateway(false))
                .unwrap_or(IpAddr::from([0; 4])),
        );
        let mut batch = Batch::default();
        link::create_bridge(&mut batch, name.as_str(), mac, self.mtu);
        let outcomes = host.apply(&batch).map_err(failed("make"))?;
        for outcome in outcomes {
            match outcome {
                Err(refused) if refused.errno == Errno::EEXIST => (),
                outcome => outcome.map_err(failed("make"))?,
            }
        }
        let bridge = host.link(name.as_str()).map_err(failed("look at"))?;
        let bridge = bridge.filter(|link| link.kind.as_deref() == Some("bridge"));
        let bridge = bridge.ok_or_else(|| NetworkError::Setting {
            network: self.name.to_string(),
            reason: format!("the host's interface {name} is no bridge"),
        })?;
        forwarding::ignore_advertisements(name.as_str())?;
        let mut batch = Batch::default();
        self.configure_host_side(&mut batch, bridge.index);
        if !bridge.up {
            link::set_up(&mut batch, bridge.index);
        }
        for (subnet, ipv4) in [(self.subnet, true), (self.subnet6, false)] {
            if let (Some(subnet), Some(gateway)) = (subnet, self.gateway(ipv4))
                && let Some(own) = IpNet::new(gateway, subnet.prefix())
            {
                address::add(&mut batch, bridge.index, &own);
            }
        }
        host.apply_all(&batch).map_err(failed("set up"))?;
        if self.subnet6.is_some() && !self.config.restricted {
            forwarding::pass_on_ipv6(name.as_str())?;
        }
        Ok(Some(bridge))
    }

    /// The host's side of a network lets packets of the host's loopback pass, for ports on localhost; passes on
    /// what pods send; and doesn't send them elsewhere.
    pub(super) fn configure_host_side(&self, batch: &mut Batch, index: u32) {
        let settings = [
            (Ipv4Setting::RouteLocalnet, 1),
            (Ipv4Setting::SendRedirects, 0),
            (Ipv4Setting::Forwarding, u32::from(!self.config.restricted)),
        ];
        link::configure(batch, index, &settings);
    }

    /// Removes bridge, rules and record. No pod is in it any more.
    pub(crate) fn take_down(&self, state: &Path, host: &mut Rtnetlink) -> Result<(), NetworkError> {
        Self::remove(state, &self.name, self.bridge.as_ref(), host)?;
        firewall::remove_network(state, self)
    }

    /// As [`Self::take_down`], of a network whose record is damaged: bridge and rules are known by its name and by
    /// its configuration.
    pub(crate) fn discard(
        state: &Path,
        name: &NetworkName,
        config: &BuiltinConfig,
        host: &mut Rtnetlink,
    ) -> Result<(), NetworkError> {
        let mut bridge = bridge_name(name, config)?;
        if Self::all(state)?.iter().any(|other| other.bridge == bridge) {
            bridge = None;
        }
        Self::remove(state, name, bridge.as_ref(), host)?;
        firewall::remove_owner(state, name)
    }

    fn remove(
        state: &Path,
        name: &NetworkName,
        bridge: Option<&InterfaceName>,
        host: &mut Rtnetlink,
    ) -> Result<(), NetworkError> {
        if let Some(bridge) = bridge {
            let mut batch = Batch::default();
            link::delete(&mut batch, bridge.as_str());
            match host.apply_all(&batch) {
                Err(refused) if refused.errno == Errno::ENODEV => (),
                outcome => {
                    outcome.map_err(NetworkError::at(format!("remove the bridge {bridge}")))?
                }
            }
        }
        let record = record_path(state, name);
        record::remove(&record)?;
        // Of a writer that was killed.
        record::remove(&record.with_extension("json.new.part"))?;
        Ok(())
    }
}

/// The bridge of a network, if it is of that mode.
fn bridge_name(
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

/// Whether a built-in network was made.
pub(crate) fn is_made(state: &Path, name: &NetworkName) -> bool {
    record_path(state, name).exists()
}

/// Whether any was.
pub(super) fn is_any_made(state: &Path) -> Result<bool, FileError> {
    Ok(Network::names(state)?
        .iter()
        .any(|name| is_made(state, name)))
}

/// The built-in networks that were made, with the settings that they were made of; the usual ones, where those can't
/// be read any more.
pub(crate) fn made(state: &Path) -> Result<Vec<(NetworkName, BuiltinConfig)>, NetworkError> {
    let mut made = Vec::new();
    for name in Network::names(state)? {
        let config = match Network::load(state, &name) {
            Err(NetworkError::DamagedNetwork { .. }) => {
                Some(BuiltinConfig::parse(&name, &serde_json::Map::new())?)
            }
            network => network?.map(|network| network.config),
        };
        made.extend(config.map(|config| (name, config)));
    }
    Ok(made)
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

/// A network of unique local addresses (RFC 4193): the same one on each start of this machine, another one elsewhere.
fn unique_local(name: &NetworkName) -> IpNet {
    // Without an ID the name alone decides: such a machine has the same addresses as others, which no packet leaves.
    let machine = std::fs::read("/etc/machine-id").unwrap_or_default();
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
    fn unique_local_networks_differ_by_name_and_stay() {
        let net = |name: &str| unique_local(&name.parse().unwrap());
        assert_eq!(net("a"), net("a"));
        assert_ne!(net("a"), net("b"));
        assert!("fd00::/8".parse::<IpNet>().unwrap().overlaps(&net("a")));
        assert_eq!(net("a"), net("a").network());
    }
}
