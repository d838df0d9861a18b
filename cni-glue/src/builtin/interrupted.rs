//! Pods that were killed while they joined a built-in network: nothing is remembered of them but what they have taken.

use std::path::Path;

use super::lease::Leases;
use super::network::Network;
use super::verbs::open_host;
use super::{firewall, pod_link};
use crate::error::NetworkError;
use crate::id::{ContainerId, NetworkName};
use crate::ports::PortOwner;
use crate::record::Lock;
use crate::runtime::Runtime;

/// Takes a pod of which nothing runs out of every built-in network that has an address for it. A pod has its address before
/// its link and its ports, and gives it back after them: one without has nothing else.
///
/// # Errors
/// The first; the other networks are left nevertheless.
pub(crate) fn leave(state: &Path, container: &ContainerId) -> Result<(), NetworkError> {
    let mut first = Ok(());
    for name in Network::names(state)? {
        first = first.and(leave_one(state, &name, container));
    }
    first
}

fn leave_one(
    state: &Path,
    name: &NetworkName,
    container: &ContainerId,
) -> Result<(), NetworkError> {
    let leases = Leases::of(state, name);
    let mut held = leases.list()?;
    held.retain(|peer| peer.container == *container);
    if held.is_empty() {
        return Ok(());
    }
    let _lock = Lock::shared(&Runtime::lock_path(state, name))?;
    let mut host = open_host()?;
    for peer in held {
        firewall::forget_ports(&PortOwner::interface(container, &peer.interface))?;
        let link = pod_link::host_name(container, &peer.interface);
        pod_link::remove(&mut host, &link)?;
        leases.release(&[peer.address])?;
    }
    Ok(())
}
