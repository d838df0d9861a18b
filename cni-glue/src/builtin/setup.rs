//! Making and removing of a built-in network: its bridge, its rules, and its record.

use std::net::IpAddr;
use std::path::Path;

use nix::errno::Errno;

use super::choice::{bridge_name, choose};
use super::claim::Claim;
use super::config::{BuiltinConfig, Mode};
use super::lease::Leases;
use super::network::{Network, record_path, setup_lock};
use super::{firewall, forwarding};
use crate::error::NetworkError;
use crate::id::{InterfaceName, NetworkName};
use crate::mac::Mac;
use crate::netlink::address;
use crate::netlink::link::{self, Link};
use crate::netlink::message::Batch;
use crate::netlink::rtnetlink::Rtnetlink;
use crate::netlink::socket::Refused;
use crate::record;

/// Makes the network, or what is missing of it. The bridge, if it is of that mode.
pub(super) fn set_up(
    state: &Path,
    name: &NetworkName,
    config: &BuiltinConfig,
    host: &mut Rtnetlink,
) -> Result<(Network, Option<Link>), NetworkError> {
    let _lock = setup_lock(state)?;
    let network = match Network::load(state, name) {
        // Without pods nothing is lost.
        Err(NetworkError::DamagedNetwork { .. }) if Leases::of(state, name).list()?.is_empty() => {
            discard(state, name, config, host)?;
            None
        }
        found => found?,
    };
    let is_empty = || Ok::<_, NetworkError>(Leases::of(state, name).list()?.is_empty());
    let mut network = match network {
        // IPv6 of our own choice isn't forced on a machine where it was switched off since.
        Some(found) if found.config == *config && found.chose_ipv6() && !forwarding::has_ipv6() => {
            if is_empty()? {
                take_down(state, &found, host)?;
                choose(state, name, config, host)?
            } else {
                found
            }
        }
        Some(found) if found.config == *config => found,
        Some(found) => {
            if !is_empty()? {
                return Err(NetworkError::Setting {
                    network: name.to_string(),
                    reason: "its configuration was changed while pods are in it; stop them first"
                        .into(),
                });
            }
            take_down(state, &found, host)?;
            choose(state, name, config, host)?
        }
        None => choose(state, name, config, host)?,
    };
    let ruled = network.config.mode != Mode::Macvlan;
    if ruled {
        firewall::refuse_others(state)?;
    }
    let record = record_path(state, name);
    network.made = false;
    record::write_json(&record, "new", &network)?;
    let claim = Claim::of(state);
    let bridge = make_bridge(&network, &claim, host).inspect_err(|_| {
        if is_without_bridge(&network, &claim, host) {
            // Nothing of it is there. The failure that led here is the one to tell of.
            let _ = forget(state, name);
        }
    })?;
    network.made = true;
    record::write_json(&record, "new", &network)?;
    if ruled {
        firewall::set_up(state)?;
    }
    Ok((network, bridge))
}

/// Makes the bridge, or gives one that is there what it needs.
fn make_bridge(
    network: &Network,
    claim: &Claim,
    host: &mut Rtnetlink,
) -> Result<Option<Link>, NetworkError> {
    let Some(name) = &network.bridge else {
        return Ok(None);
    };
    let failed = |what: &str| NetworkError::at(format!("{what} the bridge {name}"));
    let mac = Mac::of(
        network
            .gateway(true)
            .or(network.gateway(false))
            .unwrap_or(IpAddr::from([0; 4])),
    );
    let mut batch = Batch::default();
    link::create_bridge(&mut batch, name.as_str(), mac, network.mtu, claim.group());
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
        network: network.name.to_string(),
        reason: format!("the host's interface {name} is not a bridge"),
    })?;
    if claim.is_others(&bridge) {
        return Err(Claim::refused(format!("the bridge {name}"), None));
    }
    forwarding::ignore_advertisements(name.as_str())?;
    let mut batch = Batch::default();
    forwarding::configure_host_side(&mut batch, bridge.index, network.config.restricted);
    if !bridge.up {
        link::set_up(&mut batch, bridge.index);
    }
    if network.subnet6.is_some() {
        forwarding::allow_ipv6(name.as_str())?;
    }
    for own in network.own_addresses() {
        address::add(&mut batch, bridge.index, &own);
    }
    host.apply_all(&batch).map_err(failed("set up"))?;
    if network.subnet6.is_some() && !network.config.restricted {
        forwarding::pass_on_ipv6(name.as_str())?;
    }
    Ok(Some(bridge))
}

/// Gives the bridge of a network that is made the addresses that it lost. Whether it has all of them now: where not,
/// [`set_up`] finds out why.
pub(super) fn has_own_addresses(
    network: &Network,
    bridge: &Link,
    host: &mut Rtnetlink,
) -> Result<bool, Refused> {
    let mut batch = Batch::default();
    for own in network.own_addresses() {
        address::add_new(&mut batch, bridge.index, &own);
    }
    let outcomes = host.apply(&batch)?;
    Ok(outcomes.into_iter().all(|outcome| match outcome {
        Ok(()) => true,
        Err(refused) => refused.errno == Errno::EEXIST,
    }))
}

/// Removes bridge, rules and record. No pod is in it any more.
pub(super) fn take_down(
    state: &Path,
    network: &Network,
    host: &mut Rtnetlink,
) -> Result<(), NetworkError> {
    remove(state, &network.name, network.bridge.as_ref(), host)?;
    firewall::remove_network(state, network)
}

/// As [`take_down`], of a network whose record is damaged: bridge and rules are known by its name and by
/// its configuration.
pub(super) fn discard(
    state: &Path,
    name: &NetworkName,
    config: &BuiltinConfig,
    host: &mut Rtnetlink,
) -> Result<(), NetworkError> {
    let mut bridge = bridge_name(name, config)?;
    if Network::all(state)?
        .iter()
        .any(|other| other.bridge == bridge)
    {
        bridge = None;
    }
    remove(state, name, bridge.as_ref(), host)?;
    firewall::remove_owner(state, name)
}

fn remove(
    state: &Path,
    name: &NetworkName,
    bridge: Option<&InterfaceName>,
    host: &mut Rtnetlink,
) -> Result<(), NetworkError> {
    let claim = Claim::of(state);
    if let Some(bridge) = bridge
        && !is_bridge_of_others(bridge, &claim, host)?
    {
        let mut batch = Batch::default();
        link::delete(&mut batch, bridge.as_str());
        match host.apply_all(&batch) {
            Err(refused) if refused.errno == Errno::ENODEV => (),
            outcome => outcome.map_err(NetworkError::at(format!("remove the bridge {bridge}")))?,
        }
    }
    forget(state, name)
}

fn is_without_bridge(network: &Network, claim: &Claim, host: &mut Rtnetlink) -> bool {
    match network.bridge.as_ref().map(|name| host.link(name.as_str())) {
        None | Some(Ok(None)) => true,
        Some(Ok(Some(link))) => claim.is_others(&link),
        Some(Err(_)) => false,
    }
}

/// Whether a bridge is there and was made by another fairing.
fn is_bridge_of_others(
    bridge: &InterfaceName,
    claim: &Claim,
    host: &mut Rtnetlink,
) -> Result<bool, NetworkError> {
    let link = host
        .link(bridge.as_str())
        .map_err(NetworkError::at(format!("look at the bridge {bridge}")))?;
    Ok(link.is_some_and(|link| claim.is_others(&link)))
}

/// Removes the record of a network.
fn forget(state: &Path, name: &NetworkName) -> Result<(), NetworkError> {
    let record = record_path(state, name);
    record::remove(&record)?;
    // Of a writer that was killed.
    record::remove(&record.with_extension("json.new.part"))?;
    Ok(())
}
