//! Clearing of what dead pods left on the host.

use std::path::Path;

use super::claim::Claim;
use super::config::LINK_PREFIX;
use super::lease::Leases;
use super::network::Network;
use super::verbs::open_host;
use super::{firewall, pod_link};
use crate::error::NetworkError;
use crate::id::ContainerId;

/// Removes links of ours, of pods that are not `live`, and the ports that lead to such. How many of each; a link that
/// only waits for the end of its namespace was nobody's to clear, and isn't counted. What is another fairing's, which
/// keeps its state elsewhere, stays.
pub(crate) fn sweep(
    state: &Path,
    live: &dyn Fn(&ContainerId) -> bool,
) -> Result<(usize, usize), NetworkError> {
    // Links before addresses: a pod that joins meanwhile has its address before its link.
    let claim = Claim::of(state);
    let mut host = open_host()?;
    let links = host
        .links()
        .map_err(NetworkError::at("read the host's links"))?;
    let mut expected: Vec<String> = Vec::new();
    for network in Network::names(state)? {
        for peer in Leases::of(state, &network).list()? {
            expected.push(pod_link::host_name(&peer.container, &peer.interface));
        }
    }
    let mut removed = 0;
    for link in links {
        let ours = link.name.starts_with(LINK_PREFIX) && link.kind.as_deref() == Some("veth");
        if ours && !claim.is_others(&link) && !expected.contains(&link.name) {
            let was_there = pod_link::remove(&mut host, &link.name)?;
            removed += usize::from(was_there && !pod_link::is_leaving(&link));
        }
    }
    let rules = match firewall::owner_of_others(state)? {
        None => firewall::remove_ports(|owner| !live(&owner.container), &[])?,
        Some(_) => 0,
    };
    Ok((removed, rules))
}
