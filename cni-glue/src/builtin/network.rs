//! A built-in network on this machine: which addresses it has, and its bridge. Made when the first pod joins, and
//! written down; every later start reads that and asks the kernel for no more than the bridge's number.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use serde::{Deserialize, Serialize};

use super::choice::bridge_name;
use super::config::{BuiltinConfig, Mode};
use super::lease::Leases;
use super::{firewall, forwarding};
use crate::error::NetworkError;
use crate::id::{InterfaceName, NetworkName};
use crate::mac::Mac;
use crate::netlink::address;
use crate::netlink::link::{self, Ipv4Setting, Link};
use crate::netlink::message::Batch;
use crate::netlink::rtnetlink::Rtnetlink;
use crate::record::{self, FileError, Lock};
use crate::subnet::IpNet;

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
            reason: format!("the host's interface {name} is not a bridge"),
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
