//! Which addresses a pod gets in a built-in network.

use std::net::IpAddr;

use super::config::{Mode, NetworkArguments};
use super::lease::LeaseOutcome;
use super::network::Network;
use super::verbs::{Builtin, Membership};
use crate::error::NetworkError;
use crate::id::ContainerId;
use crate::subnet::IpNet;

impl Builtin<'_> {
    pub(super) fn take_addresses(
        &self,
        network: &Network,
        wishes: &NetworkArguments,
        pod: Membership<'_>,
        evict: &dyn Fn(&ContainerId) -> bool,
    ) -> Result<Vec<IpNet>, NetworkError> {
        let mut taken: Vec<IpNet> = Vec::new();
        for (subnet, ipv4) in [(network.subnet, true), (network.subnet6, false)] {
            let one = match (wishes.address(ipv4), subnet) {
                (Some(wish), _) => self.take_wish(network, subnet, wish, pod, evict).map(Some),
                (None, Some(subnet)) => {
                    // The same place in both families, where it is free.
                    let twin = taken
                        .first()
                        .zip(network.subnet)
                        .and_then(|(net, first)| subnet.nth(first.position(net.address())?));
                    self.take_free(&subnet, twin, pod, evict).map(Some)
                }
                (None, None) => Ok(None),
            };
            match one {
                Ok(one) => taken.extend(one),
                Err(error) => {
                    let addresses: Vec<_> = taken.iter().map(IpNet::address).collect();
                    // As in `add`.
                    let _ = self.leases().release(&addresses);
                    return Err(error);
                }
            }
        }
        Ok(taken)
    }

    fn take_free(
        &self,
        subnet: &IpNet,
        twin: Option<IpAddr>,
        pod: Membership<'_>,
        evict: &dyn Fn(&ContainerId) -> bool,
    ) -> Result<IpNet, NetworkError> {
        let leases = self.leases();
        let peer = (pod.container, pod.interface, pod.name);
        let with_prefix = |address| IpNet::new(address, subnet.prefix());
        if let Some(twin) = twin
            && leases.take(twin, peer)? == LeaseOutcome::Given
        {
            return Ok(with_prefix(twin).unwrap_or(*subnet));
        }
        let mut found = leases.take_any(subnet, peer)?;
        if found.is_none() {
            let mut freed = false;
            for other in leases.list()? {
                freed |= evict(&other.container);
            }
            if freed {
                found = leases.take_any(subnet, peer)?;
            }
        }
        found
            .and_then(with_prefix)
            .ok_or_else(|| NetworkError::Exhausted {
                network: self.name.to_string(),
                subnet: *subnet,
            })
    }

    fn take_wish(
        &self,
        network: &Network,
        subnet: Option<IpNet>,
        (address, prefix): (IpAddr, Option<u8>),
        pod: Membership<'_>,
        evict: &dyn Fn(&ContainerId) -> bool,
    ) -> Result<IpNet, NetworkError> {
        let prefix = match (subnet, prefix) {
            (Some(subnet), _) => {
                if let Some(prefix) = prefix.filter(|prefix| *prefix != subnet.prefix())
                    && self.config.mode != Mode::Macvlan
                {
                    return Err(self.setting(format!(
                        "{address}/{prefix}: the network is {subnet}, a /{}; ask for {address} alone",
                        subnet.prefix()
                    )));
                }
                let edge = address == subnet.network().address()
                    || Some(address) == subnet.broadcast().map(IpAddr::V4);
                if !subnet.contains(address) || edge {
                    return Err(
                        self.setting(format!("{address} is not an address for a pod of {subnet}"))
                    );
                }
                if network.gateway(address.is_ipv4()) == Some(address) {
                    return Err(self.setting(format!("{address} is the gateway's")));
                }
                subnet.prefix()
            }
            (None, Some(prefix)) => prefix,
            (None, None) => {
                return Err(self.setting(format!(
                    "{address} needs the length of its network, as {address}/24"
                )));
            }
        };
        let net = IpNet::new(address, prefix);
        let net =
            net.ok_or_else(|| self.setting(format!("{address}/{prefix} is not an address")))?;
        let leases = self.leases();
        let peer = (pod.container, pod.interface, pod.name);
        let mut asked = leases.take(address, peer)?;
        if let LeaseOutcome::Taken(holder) = &asked
            && evict(holder)
        {
            asked = leases.take(address, peer)?;
        }
        match asked {
            LeaseOutcome::Given => Ok(net),
            LeaseOutcome::Taken(holder) => Err(NetworkError::AddressTaken {
                network: self.name.to_string(),
                address,
                holder,
            }),
        }
    }
}
