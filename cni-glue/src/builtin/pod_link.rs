//! A pod's link: made, given its addresses and routes, and taken away.

use std::net::IpAddr;

use nix::errno::Errno;

use super::choice::way_out;
use super::claim::Claim;
use super::config::{LINK_PREFIX, Mode, NetworkArguments};
use super::forwarding;
use super::lease::hash;
use super::network::Network;
use super::shaping::Ends;
use crate::bandwidth::Bandwidth;
use crate::error::NetworkError;
use crate::id::{ContainerId, InterfaceName};
use crate::mac::Mac;
use crate::netlink::address;
use crate::netlink::link::{self, Link, PodLink, VethPair};
use crate::netlink::message::Batch;
use crate::netlink::route::{self, Route};
use crate::netlink::rtnetlink::Rtnetlink;
use crate::netlink::socket::Refused;
use crate::netns::Netns;
use crate::subnet::IpNet;

const MACVLAN_MODE_BRIDGE: u32 = 4;

/// What is written on a link whose pod has left the network.
const LEAVING: &str = "fairing: its pod has left";

/// The name of the host's end of a pod's link.
pub(super) fn host_name(container: &ContainerId, interface: &InterfaceName) -> String {
    const DIGITS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let hash = hash(&[container.as_str(), interface.as_str()]);
    let digits = (0..8).map(|n| {
        let digit = (hash >> (5 * n)) & 31;
        DIGITS.get(digit as usize).copied().unwrap_or(b'a') as char
    });
    LINK_PREFIX.chars().chain(digits).collect()
}

/// What a pod's link is made of.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    pub(super) claim: &'a Claim,
    pub(super) network: &'a Network,
    pub(super) bridge: Option<&'a Link>,
    pub(super) container: &'a ContainerId,
    pub(super) interface: &'a InterfaceName,
    /// With the length of their network.
    pub(super) addresses: &'a [IpNet],
    pub(super) gateways: &'a [IpAddr],
    pub(super) wishes: &'a NetworkArguments,
    pub(super) bandwidth: Option<&'a Bandwidth>,
}

/// What was made.
#[derive(Debug)]
pub(super) struct CreatedLink {
    pub(super) host_name: Option<String>,
    pub(super) mac: Option<Mac>,
    pub(super) mtu: u32,
}

impl Plan<'_> {
    fn failed<E: Into<Refused>>(&self, what: &str) -> impl FnOnce(E) -> NetworkError {
        NetworkError::at(format!(
            "{what} the pod's interface {} in network {}",
            self.interface, self.network.name
        ))
    }

    pub(super) fn make(
        &self,
        host: &mut Rtnetlink,
        netns: &mut Netns,
    ) -> Result<CreatedLink, NetworkError> {
        let mac = match (self.wishes.mac, self.addresses.first()) {
            (Some(mac), _) => Some(mac),
            // In a network that isn't the host's own, the kernel makes one up.
            (None, Some(net)) if self.network.config.mode != Mode::Macvlan => {
                Some(Mac::of(net.address()))
            }
            _ => None,
        };
        if self.addresses.iter().any(|net| net.address().is_ipv6()) {
            netns.inside(|| forwarding::allow_ipv6("default"))??;
        }
        let host_name = match self.network.config.mode {
            Mode::Bridge | Mode::Ptp => {
                netns.inside(|| forwarding::ignore_advertisements("default"))??;
                Some(self.make_veth(mac, host, netns)?)
            }
            Mode::Macvlan => {
                self.make_macvlan(mac, host, netns)?;
                None
            }
        };
        let link = self.inner_link(netns)?;
        if let Some(bandwidth) = self.bandwidth {
            // Before the pod can send anything.
            self.limit(bandwidth, host_name.as_deref(), &link, host, netns)?;
        }
        self.configure(&link, netns.rtnetlink())?;
        if self.network.config.mode == Mode::Ptp
            && let Some(name) = &host_name
        {
            self.finish_ptp(name, host)?;
        }
        Ok(CreatedLink {
            host_name,
            mac: link.mac,
            mtu: link.mtu,
        })
    }

    fn make_veth(
        &self,
        mac: Option<Mac>,
        host: &mut Rtnetlink,
        netns: &Netns,
    ) -> Result<String, NetworkError> {
        let name = host_name(self.container, self.interface);
        let pair = VethPair {
            name: &name,
            master: self.bridge.map(|bridge| bridge.index),
            mtu: self.network.mtu,
            group: self.claim.group(),
            peer: PodLink {
                name: self.interface.as_str(),
                mac,
                netns: std::os::fd::AsFd::as_fd(netns),
            },
        };
        let mut batch = Batch::default();
        link::create_veth(&mut batch, &pair);
        if pair.master.is_some() {
            link::hairpin(&mut batch, &name);
        }
        match host.apply_all(&batch) {
            // Left from a start of the same pod that was cut short.
            Err(refused) if refused.errno == Errno::EEXIST && remove(host, &name)? => {
                host.apply_all(&batch).map_err(self.failed("make"))?;
            }
            outcome => outcome.map_err(self.failed("make"))?,
        }
        Ok(name)
    }

    fn make_macvlan(
        &self,
        mac: Option<Mac>,
        host: &mut Rtnetlink,
        netns: &Netns,
    ) -> Result<(), NetworkError> {
        let master = self
            .wishes
            .master
            .as_ref()
            .or(self.network.config.master.as_ref());
        let parent = match master {
            Some(name) => host.link(name.as_str()).map_err(self.failed("make"))?,
            None => way_out(host)?,
        };
        let parent = parent.ok_or_else(|| NetworkError::Setting {
            network: self.network.name.to_string(),
            reason: match master {
                Some(name) => format!("the host has no interface {name}"),
                None => "the host has no default route to take the master from; name one".into(),
            },
        })?;
        let inner = PodLink {
            name: self.interface.as_str(),
            mac,
            netns: std::os::fd::AsFd::as_fd(netns),
        };
        let mut batch = Batch::default();
        let mtu = self.network.config.mtu;
        link::create_macvlan(&mut batch, parent.index, MACVLAN_MODE_BRIDGE, mtu, &inner);
        host.apply_all(&batch).map_err(self.failed("make"))
    }

    fn inner_link(&self, netns: &mut Netns) -> Result<Link, NetworkError> {
        let link = netns.rtnetlink().link(self.interface.as_str());
        link.map_err(self.failed("find"))?
            .ok_or_else(|| self.failed("find")(Errno::ENODEV))
    }

    fn limit(
        &self,
        bandwidth: &Bandwidth,
        host_name: Option<&str>,
        inner: &Link,
        host: &mut Rtnetlink,
        netns: &mut Netns,
    ) -> Result<(), NetworkError> {
        let end = match host_name {
            Some(name) => {
                let end = host.link(name).map_err(self.failed("find"))?;
                Some(end.ok_or_else(|| self.failed("find")(Errno::ENODEV))?)
            }
            None => None,
        };
        let ends = Ends {
            host: end.as_ref().map(|end| (host, end)),
            pod: (netns.rtnetlink(), inner),
        };
        ends.limit(bandwidth)
    }

    /// Up, addresses and routes, in one go.
    fn configure(&self, link: &Link, pod: &mut Rtnetlink) -> Result<(), NetworkError> {
        let ptp = self.network.config.mode == Mode::Ptp;
        let mut batch = Batch::default();
        link::set_up(&mut batch, link.index);
        let mut required = 1;
        for net in self.addresses {
            let net = if ptp {
                IpNet::single(net.address())
            } else {
                *net
            };
            address::add_new(&mut batch, link.index, &net);
            required += 1;
        }
        for gateway in self.gateways {
            if ptp {
                let on_link = Route {
                    destination: IpNet::single(*gateway),
                    gateway: None,
                    link: link.index,
                };
                route::add(&mut batch, &on_link);
                required += 1;
            }
        }
        if !self.network.config.restricted {
            for gateway in self.gateways {
                let out = Route {
                    destination: IpNet::everything(*gateway),
                    gateway: Some(*gateway),
                    link: link.index,
                };
                route::add_new(&mut batch, &out);
            }
        }
        let outcomes = pod.apply(&batch).map_err(self.failed("configure"))?;
        for (n, outcome) in outcomes.into_iter().enumerate() {
            match outcome {
                // Another network leads outside already.
                Err(refused) if n >= required && refused.errno == Errno::EEXIST => (),
                outcome => outcome.map_err(self.failed("configure"))?,
            }
        }
        Ok(())
    }

    /// The host's end of a pair without a bridge.
    fn finish_ptp(&self, name: &str, host: &mut Rtnetlink) -> Result<(), NetworkError> {
        forwarding::ignore_advertisements(name)?;
        if self.gateways.iter().any(IpAddr::is_ipv6) {
            forwarding::allow_ipv6(name)?;
        }
        let link = host.link(name).map_err(self.failed("find"))?;
        let link = link.ok_or_else(|| self.failed("find")(Errno::ENODEV))?;
        let mut batch = Batch::default();
        forwarding::configure_host_side(&mut batch, link.index, self.network.config.restricted);
        for gateway in self.gateways {
            address::add(&mut batch, link.index, &IpNet::single(*gateway));
        }
        for net in self.addresses {
            let to_pod = Route {
                destination: IpNet::single(net.address()),
                gateway: None,
                link: link.index,
            };
            route::add(&mut batch, &to_pod);
        }
        host.apply_all(&batch).map_err(self.failed("configure"))?;
        if self.network.subnet6.is_some() {
            forwarding::pass_on_ipv6(name)?;
        }
        Ok(())
    }
}

/// Removes a link of the host. Whether there was one.
pub(super) fn remove(host: &mut Rtnetlink, name: &str) -> Result<bool, NetworkError> {
    let mut batch = Batch::default();
    link::delete(&mut batch, name);
    match host.apply_all(&batch) {
        Ok(()) => Ok(true),
        Err(refused) if refused.errno == Errno::ENODEV => Ok(false),
        // Who may remove no links is refused before the kernel looks for this one.
        Err(refused) if refused.errno == Errno::EPERM && matches!(host.link(name), Ok(None)) => {
            Ok(false)
        }
        Err(refused) => Err(NetworkError::at(format!("remove the interface {name}"))(
            refused,
        )),
    }
}

/// Stops a link whose namespace is about to go, and the link with it: nothing comes through any more, and no time is
/// spent on waiting for its end. Whoever finds it meanwhile sees that nobody forgot it.
pub(super) fn close(host: &mut Rtnetlink, name: &str) -> Result<(), NetworkError> {
    let failed = || NetworkError::at(format!("close the interface {name}"));
    let Some(link) = host.link(name).map_err(failed())? else {
        return Ok(());
    };
    let mut batch = Batch::default();
    // A pair by itself has nothing behind it any more, and who gets the address gets a route of its own.
    if link.master.is_some() {
        link::close_port(&mut batch, link.index);
    }
    link::set_alias(&mut batch, link.index, LEAVING);
    match host.apply_all(&batch) {
        Err(refused) if refused.errno == Errno::ENODEV => Ok(()),
        outcome => outcome.map_err(failed()),
    }
}

/// Whether its pod has left the network in order, so that it goes with the pod's namespace.
pub(super) fn is_leaving(link: &Link) -> bool {
    link.alias.as_deref() == Some(LEAVING)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_names_fit_and_differ() {
        let eth = InterfaceName::eth;
        let (one, two) = ("pod-1".parse().unwrap(), "pod-2".parse().unwrap());
        let name = host_name(&one, &eth(0));
        assert!(name.parse::<InterfaceName>().is_ok(), "{name}");
        assert_eq!(name, host_name(&one, &eth(0)));
        assert_ne!(name, host_name(&one, &eth(1)));
        assert_ne!(name, host_name(&two, &eth(0)));
    }
}
