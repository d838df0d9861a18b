//! The verbs of CNI, as built-in networks carry them out.

use std::net::IpAddr;
use std::path::Path;

use serde_json::{Map, Value};

use super::claim::Claim;
use super::config::{BuiltinConfig, Mode, NetworkArguments};
use super::lease::Leases;
use super::network::{Network, setup_lock};
use super::pod_link::{self, CreatedLink, Plan};
use super::shaping::{self, Ends};
use super::{firewall, forwarding, setup};
use crate::bandwidth::{self, Bandwidth};
use crate::error::NetworkError;
use crate::id::{ContainerId, InterfaceName, NetworkName};
use crate::netlink::link::Link;
use crate::netlink::rtnetlink::Rtnetlink;
use crate::netns::Netns;
use crate::ports::{PortMapping, PortOwner};
use crate::runtime::{CniResult, Interface, Ip, ResultRoute};
use crate::subnet::IpNet;

/// A pod in a network.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Membership<'a> {
    pub(crate) container: &'a ContainerId,
    pub(crate) interface: &'a InterfaceName,
    /// The pod's name, if it has one.
    pub(crate) name: Option<&'a str>,
    /// `CNI_ARGS`.
    pub(crate) arguments: &'a [(String, String)],
    /// `runtimeConfig`.
    pub(crate) told: &'a Map<String, Value>,
}

impl Membership<'_> {
    /// As whom it has ports.
    fn owner(&self) -> PortOwner {
        PortOwner::interface(self.container, self.interface)
    }
}

/// One built-in network.
#[derive(Debug)]
pub(crate) struct Builtin<'a> {
    pub(crate) state: &'a Path,
    pub(crate) name: &'a NetworkName,
    pub(crate) config: &'a BuiltinConfig,
}

pub(super) fn open_host() -> Result<Rtnetlink, NetworkError> {
    Rtnetlink::open().map_err(NetworkError::at("open a netlink socket"))
}

impl Builtin<'_> {
    pub(super) fn setting(&self, reason: impl Into<String>) -> NetworkError {
        NetworkError::Setting {
            network: self.name.to_string(),
            reason: reason.into(),
        }
    }

    pub(super) fn leases(&self) -> Leases {
        Leases::of(self.state, self.name)
    }

    fn mappings(&self, told: &Map<String, Value>) -> Result<Vec<PortMapping>, NetworkError> {
        let Some(mappings) = told.get("portMappings") else {
            return Ok(Vec::new());
        };
        PortMapping::from_cni(mappings)
            .map_err(|reason| self.setting(format!("portMappings: {reason}")))
    }

    fn bandwidth(&self, told: &Map<String, Value>) -> Result<Option<Bandwidth>, NetworkError> {
        let Some(limits) = told.get(bandwidth::CAPABILITY) else {
            return Ok(None);
        };
        Bandwidth::from_cni(limits)
            .map_err(|reason| self.setting(format!("{}: {reason}", bandwidth::CAPABILITY)))
    }

    /// Puts a pod into the network. `evict` is asked, when something is another pod's, whether that pod is gone;
    /// then it has given everything back.
    pub(crate) fn add(
        &self,
        pod: Membership<'_>,
        (netns, sandbox): (&mut Netns, &str),
        evict: &dyn Fn(&ContainerId) -> bool,
    ) -> Result<CniResult, NetworkError> {
        let wishes = NetworkArguments::parse(self.name, pod.arguments, pod.told)?;
        let mappings = self.mappings(pod.told)?;
        let bandwidth = self.bandwidth(pod.told)?;
        let mut host = open_host()?;
        let (network, bridge) = self.network(&mut host)?;
        if self.config.mode != Mode::Macvlan {
            firewall::ensure(self.state)?;
            if !self.config.restricted {
                forwarding::ensure(&mut host, network.subnet6.is_some())?;
            }
        } else if !mappings.is_empty() {
            return Err(NetworkError::NoPorts(
                "macvlan connects the pod without the host's help",
            ));
        } else if bandwidth.is_some_and(|bandwidth| bandwidth.ingress().is_some()) {
            return Err(shaping::no_host_end());
        }
        let addresses = self.take_addresses(&network, &wishes, pod, evict)?;
        let made = self.connect(
            &network,
            bridge.as_ref(),
            pod,
            &wishes,
            bandwidth.as_ref(),
            &addresses,
            &mut host,
            netns,
        );
        let made = made.and_then(|made| {
            if !mappings.is_empty() {
                let addresses: Vec<_> = addresses.iter().map(IpNet::address).collect();
                firewall::add_ports(&pod.owner(), &mappings, &addresses, evict)?;
            }
            Ok(made)
        });
        match made {
            Ok(made) => Ok(self.result(&network, pod, sandbox, &addresses, &wishes, made)),
            Err(error) => {
                // The error at hand says more than one about the rest, which gc finds.
                let _ = self.undo(pod, &addresses, &mut host);
                Err(error)
            }
        }
    }

    fn undo(
        &self,
        pod: Membership<'_>,
        addresses: &[IpNet],
        host: &mut Rtnetlink,
    ) -> Result<(), NetworkError> {
        pod_link::remove(host, &pod_link::host_name(pod.container, pod.interface))?;
        let addresses: Vec<_> = addresses.iter().map(IpNet::address).collect();
        Ok(self.leases().release(&addresses)?)
    }

    /// The network and its bridge, made if this is the first pod.
    fn network(&self, host: &mut Rtnetlink) -> Result<(Network, Option<Link>), NetworkError> {
        // What is wrong with its record, is for who makes it.
        if let Ok(Some(network)) = Network::load(self.state, self.name)
            && network.config == *self.config
            && network.made
        {
            let Some(name) = &network.bridge else {
                return Ok((network, None));
            };
            let bridge = host.link(name.as_str());
            let bridge = bridge.map_err(NetworkError::at(format!("look at the bridge {name}")))?;
            if let Some(bridge) = bridge.filter(|link| link.up)
                && setup::has_own_addresses(&network, &bridge, host)
                    .map_err(NetworkError::at(format!("look at the bridge {name}")))?
            {
                return Ok((network, Some(bridge)));
            }
        }
        setup::set_up(self.state, self.name, self.config, host)
    }

    #[allow(clippy::too_many_arguments)] // all of it makes up the one plan
    fn connect(
        &self,
        network: &Network,
        bridge: Option<&Link>,
        pod: Membership<'_>,
        wishes: &NetworkArguments,
        bandwidth: Option<&Bandwidth>,
        addresses: &[IpNet],
        host: &mut Rtnetlink,
        netns: &mut Netns,
    ) -> Result<CreatedLink, NetworkError> {
        let gateways = gateways(network, wishes, addresses);
        Plan {
            claim: &Claim::of(self.state),
            network,
            bridge,
            container: pod.container,
            interface: pod.interface,
            addresses,
            gateways: &gateways,
            wishes,
            bandwidth,
        }
        .make(host, netns)
    }

    fn result(
        &self,
        network: &Network,
        pod: Membership<'_>,
        sandbox: &str,
        addresses: &[IpNet],
        wishes: &NetworkArguments,
        made: CreatedLink,
    ) -> CniResult {
        let on_host = |name: String| Interface {
            name,
            mtu: Some(network.mtu),
            ..Interface::default()
        };
        let mut interfaces: Vec<Interface> = network
            .bridge
            .iter()
            .map(ToString::to_string)
            .chain(made.host_name)
            .map(on_host)
            .collect();
        let index = interfaces.len();
        interfaces.push(Interface {
            name: pod.interface.to_string(),
            mac: made.mac.map(|mac| mac.to_string()).unwrap_or_default(),
            mtu: Some(made.mtu),
            sandbox: sandbox.into(),
            ..Interface::default()
        });
        let gateways = gateways(network, wishes, addresses);
        let ips = addresses.iter().map(|address| Ip {
            address: *address,
            gateway: gateways
                .iter()
                .find(|g| g.is_ipv4() == address.is_ipv4())
                .copied(),
            interface: Some(index),
        });
        let routes = gateways
            .iter()
            .filter(|_| !self.config.restricted)
            .map(|gateway| ResultRoute {
                dst: IpNet::everything(*gateway),
                gw: Some(*gateway),
                other: Map::new(),
            });
        CniResult {
            interfaces,
            ips: ips.collect(),
            routes: routes.collect(),
            dns: self.config.dns.clone(),
        }
    }

    /// Takes a pod out of the network; that it isn't in it is no error. If its namespace is `dying`, its link is
    /// left to go with it.
    pub(crate) fn del(&self, pod: Membership<'_>, dying: bool) -> Result<(), NetworkError> {
        let mappings = self.mappings(pod.told)?;
        if !mappings.is_empty() {
            let owner = pod.owner();
            firewall::remove_ports(|other| other.meets(&owner), &mappings)?;
        }
        if self.config.mode != Mode::Macvlan {
            let mut host = open_host()?;
            let name = pod_link::host_name(pod.container, pod.interface);
            if dying {
                pod_link::close(&mut host, &name)?;
            } else {
                pod_link::remove(&mut host, &name)?;
            }
        }
        // Last: nobody gets the address before nothing can come from who had it.
        self.leases().release_where(|peer| {
            peer.container == *pod.container && peer.interface == *pod.interface
        })?;
        Ok(())
    }

    /// Looks whether a pod is connected as `expected`.
    pub(crate) fn check(
        &self,
        pod: Membership<'_>,
        netns: &mut Netns,
        expected: &CniResult,
    ) -> Result<(), NetworkError> {
        let missing = |reason: String| NetworkError::Disconnected {
            network: self.name.to_string(),
            reason,
        };
        let look = || NetworkError::at(format!("look at the pod's interface {}", pod.interface));
        let link = netns
            .rtnetlink()
            .link(pod.interface.as_str())
            .map_err(look())?;
        let link =
            link.ok_or_else(|| missing(format!("the pod has no interface {}", pod.interface)))?;
        let found = netns.rtnetlink().addresses().map_err(look())?;
        let held = self.leases().list()?;
        for ip in &expected.ips {
            let address = ip.address.address();
            if !found
                .iter()
                .any(|a| a.link == link.index && a.address.address() == address)
            {
                return Err(missing(format!(
                    "{} has no address {address}",
                    pod.interface
                )));
            }
            if !held
                .iter()
                .any(|p| p.address == address && p.container == *pod.container)
            {
                return Err(missing(format!(
                    "the address {address} is not reserved for the pod"
                )));
            }
        }
        let bandwidth = self.bandwidth(pod.told)?;
        let inner = (netns.rtnetlink(), &link);
        if self.config.mode == Mode::Macvlan {
            let ends = Ends {
                host: None,
                pod: inner,
            };
            return self.check_limits(bandwidth.as_ref(), ends);
        }
        let name = pod_link::host_name(pod.container, pod.interface);
        let mut host = open_host()?;
        let end = host.link(&name).map_err(look())?;
        let end = end.ok_or_else(|| missing(format!("the host's end {name} is missing")))?;
        if let Some(network) = Network::load(self.state, self.name)?
            && let Some(bridge) = &network.bridge
        {
            let bridge_link = host.link(bridge.as_str()).map_err(look())?;
            let Some(link) = bridge_link.filter(|link| end.master == Some(link.index)) else {
                return Err(missing(format!(
                    "{name} is not part of the bridge {bridge}"
                )));
            };
            if !link.up {
                return Err(missing(format!("the bridge {bridge} is down")));
            }
            let found = host.addresses().map_err(look())?;
            let lost = network.own_addresses().find(|own| {
                !found
                    .iter()
                    .any(|a| a.link == link.index && a.address.address() == own.address())
            });
            if let Some(lost) = lost {
                let lost = lost.address();
                return Err(missing(format!(
                    "the bridge {bridge} has lost its address {lost}"
                )));
            }
        }
        let mappings = self.mappings(pod.told)?;
        let addresses: Vec<_> = expected.ips.iter().map(|ip| ip.address.address()).collect();
        if let Some(reason) = firewall::missing_port(&pod.owner(), &mappings, &addresses)? {
            return Err(missing(reason));
        }
        let ends = Ends {
            host: Some((&mut host, &end)),
            pod: inner,
        };
        self.check_limits(bandwidth.as_ref(), ends)
    }

    fn check_limits(
        &self,
        bandwidth: Option<&Bandwidth>,
        ends: Ends<'_>,
    ) -> Result<(), NetworkError> {
        let Some(bandwidth) = bandwidth else {
            return Ok(());
        };
        let found = ends
            .unlimited(bandwidth)
            .map_err(NetworkError::at("look at the pod's limits"))?;
        match found {
            None => Ok(()),
            Some(link) => Err(NetworkError::Disconnected {
                network: self.name.to_string(),
                reason: format!("the bandwidth of {link} is not limited as it was"),
            }),
        }
    }

    /// Clears what belongs to none of the `valid` pods; the network itself too if it is left empty. Nobody joins or
    /// leaves meanwhile.
    pub(crate) fn gc(&self, valid: &[(ContainerId, InterfaceName)]) -> Result<(), NetworkError> {
        let is_valid = |container: &ContainerId, interface: &InterfaceName| {
            valid.iter().any(|(c, i)| c == container && i == interface)
        };
        let leases = self.leases();
        let (kept, dead): (Vec<_>, Vec<_>) = leases
            .list()?
            .into_iter()
            .partition(|peer| is_valid(&peer.container, &peer.interface));
        let mut host = open_host()?;
        for peer in dead {
            let link = pod_link::host_name(&peer.container, &peer.interface);
            pod_link::remove(&mut host, &link)?;
            leases.release(&[peer.address])?;
        }
        match Network::load(self.state, self.name) {
            Ok(Some(network)) if kept.is_empty() => {
                let _lock = setup_lock(self.state)?;
                setup::take_down(self.state, &network, &mut host)
            }
            Err(NetworkError::DamagedNetwork { .. }) if kept.is_empty() => {
                let _lock = setup_lock(self.state)?;
                setup::discard(self.state, self.name, self.config, &mut host)
            }
            outcome => outcome.map(|_| ()),
        }
    }

    /// Whether pods can be put in.
    pub(crate) fn status(&self) -> Result<(), NetworkError> {
        open_host()?;
        if self.config.mode != Mode::Macvlan {
            firewall::foreign_drops()?;
        }
        Ok(())
    }
}

/// The ways out, of those families that the pod has addresses of.
fn gateways(network: &Network, wishes: &NetworkArguments, addresses: &[IpNet]) -> Vec<IpAddr> {
    [true, false]
        .into_iter()
        .filter(|ipv4| addresses.iter().any(|net| net.is_ipv4() == *ipv4))
        .filter_map(|ipv4| {
            let wish = wishes.gateway.filter(|ip| ip.is_ipv4() == ipv4);
            match network.config.mode {
                Mode::Macvlan => wish.or_else(|| network.gateway(ipv4)),
                _ => network.gateway(ipv4),
            }
        })
        .collect()
}
