//! A built-in network on this machine: which addresses it has, and its bridge. Made when the first pod joins, and
//! written down; every later start reads that and asks the kernel for no more than the bridge's number.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::config::{BuiltinConfig, Mode};
use crate::error::NetworkError;
use crate::id::{InterfaceName, NetworkName};
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

/// Where it is written down.
pub(super) fn record_path(state: &Path, name: &NetworkName) -> PathBuf {
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

    /// Whether it has an IPv6 subnet that nobody asked for.
    pub(super) fn chose_ipv6(&self) -> bool {
        self.subnet6.is_some() && self.config.subnet6.is_none()
    }

    /// The addresses of its bridge.
    pub(super) fn own_addresses(&self) -> impl Iterator<Item = IpNet> {
        [(self.subnet, true), (self.subnet6, false)]
            .into_iter()
            .filter_map(|(subnet, ipv4)| IpNet::new(self.gateway(ipv4)?, subnet?.prefix()))
    }

    /// The address of the host in this network, and the pods' way out.
    pub(crate) fn gateway(&self, ipv4: bool) -> Option<IpAddr> {
        let subnet = if ipv4 { self.subnet } else { self.subnet6 };
        match self.config.mode {
            Mode::Macvlan => self.config.gateway.filter(|ip| ip.is_ipv4() == ipv4),
            Mode::Bridge | Mode::Ptp => subnet?.nth(1),
        }
    }
}

/// The subnets of a network as it was made, each with the pods' way out; none before the first pod has joined it, or where
/// nobody can tell.
pub fn subnets(state: &Path, name: &NetworkName) -> Vec<(IpNet, Option<IpAddr>)> {
    let Ok(Some(network)) = Network::load(state, name) else {
        return Vec::new();
    };
    [(network.subnet, true), (network.subnet6, false)]
        .into_iter()
        .filter_map(|(subnet, ipv4)| Some((subnet?, network.gateway(ipv4))))
        .collect()
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
