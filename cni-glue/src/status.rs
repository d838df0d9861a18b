//! What is known of a running pod's networks: the record `network.json`.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::id::{InterfaceName, NetworkName};
use crate::ports::PortMapping;
use crate::runtime::{CniResult, Dns};
use crate::subnet::IpNet;

/// The version that this release writes, and the highest that it reads.
pub const STATUS_VERSION: u64 = 1;

/// A pod's networks and ports.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct NetworkStatus {
    /// [`STATUS_VERSION`].
    pub version: u64,
    /// The networks, in the order of their interfaces.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub networks: Vec<JoinedNetwork>,
    /// Ports of the host that lead to the pod.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<PortMapping>,
}

impl Default for NetworkStatus {
    fn default() -> Self {
        Self {
            version: STATUS_VERSION,
            networks: Vec::new(),
            ports: Vec::new(),
        }
    }
}

/// A network that a pod is in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct JoinedNetwork {
    /// Its name.
    pub name: NetworkName,
    /// The pod's interface.
    pub interface: InterfaceName,
    /// The interface's hardware address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac: Option<String>,
    /// The pod's addresses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<PodAddress>,
    /// The pod's routes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub routes: Vec<PodRoute>,
    /// How names are resolved there.
    #[serde(default, skip_serializing_if = "Dns::is_empty")]
    pub dns: Dns,
}

/// An address of a pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PodAddress {
    /// The address and its network.
    pub address: IpNet,
    /// The way out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<IpAddr>,
}

/// A route of a pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PodRoute {
    /// Where it leads.
    pub destination: IpNet,
    /// By way of whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<IpAddr>,
}

impl JoinedNetwork {
    /// From what ADD resulted in.
    pub(crate) fn new(name: &NetworkName, interface: &InterfaceName, result: &CniResult) -> Self {
        let inside = |index: usize| {
            let interface = result.interfaces.get(index);
            interface.is_none_or(|interface| !interface.sandbox.is_empty())
        };
        let mac = result
            .interfaces
            .iter()
            .find(|i| i.name == interface.as_str() && !i.sandbox.is_empty())
            .map(|i| i.mac.clone())
            .filter(|mac| !mac.is_empty());
        // An address on an interface of the host isn't the pod's.
        let own = result
            .ips
            .iter()
            .filter(|ip| ip.interface.is_none_or(inside));
        Self {
            name: name.clone(),
            interface: interface.clone(),
            mac,
            addresses: own
                .map(|ip| PodAddress {
                    address: ip.address,
                    gateway: ip.gateway,
                })
                .collect(),
            routes: result
                .routes
                .iter()
                .map(|route| PodRoute {
                    destination: route.dst,
                    gateway: route.gw,
                })
                .collect(),
            dns: result.dns.clone(),
        }
    }
}

impl NetworkStatus {
    /// All addresses of the pod, in order.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.networks
            .iter()
            .flat_map(|network| &network.addresses)
            .map(|address| address.address.address())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_status_shows_what_is_the_pods() {
        let result = CniResult::parse(&json!({
            "interfaces": [{"name": "br0"}, {"name": "eth0", "mac": "0a:58:00:00:00:02", "sandbox": "/x"}],
            "ips": [{"address": "10.0.0.1/24", "interface": 0}, {"address": "10.0.0.2/24", "gateway": "10.0.0.1", "interface": 1}],
            "routes": [{"dst": "0.0.0.0/0"}],
        }))
        .unwrap();
        let joined = JoinedNetwork::new(&"n".parse().unwrap(), &InterfaceName::eth(0), &result);
        assert_eq!(joined.mac.as_deref(), Some("0a:58:00:00:00:02"));
        let status = NetworkStatus {
            networks: vec![joined],
            ..NetworkStatus::default()
        };
        let addresses: Vec<_> = status.addresses().map(|ip| ip.to_string()).collect();
        assert_eq!(addresses, ["10.0.0.2"]);
        let text = serde_json::to_string(&status).unwrap();
        assert_eq!(
            serde_json::from_str::<NetworkStatus>(&text).unwrap(),
            status
        );
    }
}
