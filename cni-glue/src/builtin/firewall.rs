//! What networks and pods have in the table of rules.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;

use nix::errno::Errno;

use super::claim::{Claim, Table};
use super::config::{LINK_PREFIX, Mode, PLUGIN_TYPE};
use super::network::{Network, is_any_made, setup_lock};
use crate::error::NetworkError;
use crate::id::{ContainerId, NetworkName};
use crate::netlink::conntrack;
use crate::nftables::elements::Element;
use crate::nftables::{self, Nftables, TABLE, Transaction};
use crate::ports::{PortMapping, PortOwner, Protocol};
use crate::runtime::{Cache, CniResult};

const PORT_MAPS: [&str; 4] = [
    nftables::PORTS_V4_ANY,
    nftables::PORTS_V4_AT,
    nftables::PORTS_V6_ANY,
    nftables::PORTS_V6_AT,
];

/// What networks own elements of.
const NETWORK_SETS: [&str; 7] = [
    nftables::SUBNETS_V4,
    nftables::SUBNETS_V6,
    nftables::ROUTED_V4,
    nftables::ROUTED_V6,
    nftables::WITHIN_V4,
    nftables::WITHIN_V6,
    nftables::RESTRICTED,
];

/// What there can be one of in a network namespace.
const WHAT: &str = "the firewall rules of pods";

fn open() -> Result<Nftables, NetworkError> {
    Nftables::open().map_err(NetworkError::at("reach nftables"))
}

/// What the table of rules is to the fairing that keeps its state in a directory.
fn look_at_table(nftables: &mut Nftables, claim: &Claim) -> Result<Table, NetworkError> {
    let comment = nftables
        .table(TABLE)
        .map_err(NetworkError::at("look at the table of rules"))?;
    Ok(claim.table(comment.as_deref()))
}

/// Where the fairing keeps its state that has the table of rules, if it is another than that of `state`.
pub(crate) fn owner_of_others(state: &Path) -> Result<Option<String>, NetworkError> {
    match look_at_table(&mut open()?, &Claim::of(state))? {
        Table::Others(owner) => Ok(Some(owner)),
        Table::Absent | Table::Outdated | Table::Current => Ok(None),
    }
}

/// Refuses to make anything where another fairing has made its networks.
pub(super) fn refuse_others(state: &Path) -> Result<(), NetworkError> {
    match owner_of_others(state)? {
        None => Ok(()),
        owner => Err(Claim::refused(WHAT, owner)),
    }
}

/// Makes sure that the rules are there; others may have removed them, by flushing all.
pub(super) fn ensure(state: &Path) -> Result<(), NetworkError> {
    if look_at_table(&mut open()?, &Claim::of(state))? == Table::Current {
        return Ok(());
    }
    let _lock = setup_lock(state)?;
    set_up(state)
}

/// Writes down what networks have, and makes the table if it isn't there. Under the lock.
pub(super) fn set_up(state: &Path) -> Result<(), NetworkError> {
    let mut nftables = open()?;
    let claim = Claim::of(state);
    let mut transaction = Transaction::on(TABLE);
    let outdated = match look_at_table(&mut nftables, &claim)? {
        Table::Current => None,
        Table::Outdated => Some(true),
        Table::Absent => Some(false),
        Table::Others(owner) => return Err(Claim::refused(WHAT, Some(owner))),
    };
    if let Some(outdated) = outdated {
        nftables::create(&mut transaction, &claim.comment(), outdated);
    }
    let fresh = outdated.is_some();
    for network in Network::all(state)? {
        for (set, elements) in of_network(&network) {
            if fresh || missing(&mut nftables, set, &elements)? {
                transaction.add(set, &elements);
            }
        }
    }
    if fresh {
        give_ports_again(state, &mut transaction)?;
    }
    match nftables.commit(transaction) {
        // Another fairing was quicker.
        Err(refused) if refused.errno == Errno::EEXIST => {
            refuse_others(state)?;
            Err(refused)
        }
        outcome => outcome,
    }
    .map_err(NetworkError::at("make the table of rules"))
}

/// Pods that run have their ports again.
fn give_ports_again(state: &Path, transaction: &mut Transaction) -> Result<(), NetworkError> {
    for attachment in Cache::new(state).all()? {
        let told = attachment.capability_args.get("portMappings");
        let (Some(told), Some(result)) = (told, &attachment.result) else {
            continue;
        };
        if !attachment
            .list()
            .is_ok_and(|list| list.plugins.iter().any(|p| p.kind == PLUGIN_TYPE))
        {
            continue;
        }
        if let (Ok(mappings), Ok(result)) = (PortMapping::from_cni(told), CniResult::parse(result))
        {
            let addresses: Vec<_> = result.ips.iter().map(|ip| ip.address.address()).collect();
            add_elements(
                transaction,
                &PortOwner::interface(&attachment.container_id, &attachment.if_name),
                &mappings,
                &addresses,
            );
        }
    }
    Ok(())
}

fn of_network(network: &Network) -> Vec<(&'static str, Vec<Element>)> {
    let owner = network.name.as_str();
    if network.config.mode == Mode::Macvlan {
        return Vec::new();
    }
    let mut all = Vec::new();
    let families = [network.subnet, network.subnet6];
    for (set, subnet) in [nftables::WITHIN_V4, nftables::WITHIN_V6]
        .into_iter()
        .zip(families)
    {
        all.extend(subnet.map(|subnet| (set, vec![Element::within(&subnet, owner)])));
    }
    if network.config.restricted {
        if let Some(bridge) = &network.bridge {
            let bridge = Element::interface(bridge.as_str(), owner);
            all.push((nftables::RESTRICTED, vec![bridge]));
        }
        return all;
    }
    let sets = match network.config.masquerade {
        true => [nftables::SUBNETS_V4, nftables::SUBNETS_V6],
        false => [nftables::ROUTED_V4, nftables::ROUTED_V6],
    };
    for (set, subnet) in sets.into_iter().zip(families) {
        all.extend(subnet.map(|subnet| (set, Element::subnet(&subnet, owner))));
    }
    all
}

fn missing(nftables: &mut Nftables, set: &str, wanted: &[Element]) -> Result<bool, NetworkError> {
    let found = elements(nftables, set)?;
    Ok(!wanted
        .iter()
        .all(|one| found.iter().any(|other| one.same_key(other))))
}

fn elements(nftables: &mut Nftables, set: &str) -> Result<Vec<Element>, NetworkError> {
    nftables
        .elements(TABLE, set)
        .map_err(NetworkError::at(format!("read the set {set}")))
}

/// Removes what a network has. Under the lock; its record is gone.
pub(super) fn remove_network(state: &Path, network: &Network) -> Result<(), NetworkError> {
    let mut nftables = open()?;
    let mut transaction = Transaction::on(TABLE);
    let table = look_at_table(&mut nftables, &Claim::of(state))?;
    if matches!(table, Table::Absent | Table::Others(_)) {
        return Ok(());
    }
    if !is_any_made(state)? {
        transaction.delete_table();
    } else {
        for (set, elements) in of_network(network) {
            // Others may have removed them.
            if !missing(&mut nftables, set, &elements)? {
                transaction.remove(set, &elements);
            }
        }
    }
    nftables
        .commit(transaction)
        .map_err(NetworkError::at("change the table of rules"))
}

/// As [`remove_network`], of one of which no more is known than its name.
pub(super) fn remove_owner(state: &Path, name: &NetworkName) -> Result<(), NetworkError> {
    let mut nftables = open()?;
    let mut transaction = Transaction::on(TABLE);
    if look_at_table(&mut nftables, &Claim::of(state))? != Table::Current {
        return Ok(());
    }
    if !is_any_made(state)? {
        transaction.delete_table();
    } else {
        for set in NETWORK_SETS {
            let all = elements(&mut nftables, set)?;
            transaction.remove(set, &Element::of_owner(&all, name.as_str()));
        }
    }
    nftables
        .commit(transaction)
        .map_err(NetworkError::at("change the table of rules"))
}

/// Where each mapping leads, as elements of the four maps.
fn port_elements(
    owner: &PortOwner,
    mappings: &[PortMapping],
    addresses: &[IpAddr],
) -> [(&'static str, Vec<Element>); PORT_MAPS.len()] {
    let owner = owner.to_string();
    let mut maps = PORT_MAPS.map(|name| (name, Vec::new()));
    for mapping in mappings {
        for address in addresses
            .iter()
            .filter(|a| mapping.covers_family(a.is_ipv4()))
        {
            let index = usize::from(mapping.specific_ip().is_some())
                + if address.is_ipv4() { 0 } else { 2 };
            for (host, container) in mapping.pairs() {
                let element = Element::port(
                    mapping.specific_ip(),
                    mapping.protocol,
                    host,
                    (*address, container),
                    &owner,
                );
                if let Some((_, elements)) = maps.get_mut(index) {
                    elements.push(element);
                }
            }
        }
    }
    maps
}

fn add_elements(
    transaction: &mut Transaction,
    owner: &PortOwner,
    mappings: &[PortMapping],
    addresses: &[IpAddr],
) {
    for (name, elements) in port_elements(owner, mappings, addresses) {
        transaction.add(name, &elements);
    }
}

/// Leads ports of the host to a pod. What stands in the way is of one that was killed before it was written down:
/// `evict` tells whether it is gone.
pub(super) fn add_ports(
    owner: &PortOwner,
    mappings: &[PortMapping],
    addresses: &[IpAddr],
    evict: &dyn Fn(&ContainerId) -> bool,
) -> Result<(), NetworkError> {
    let add = || -> Result<_, NetworkError> {
        let mut transaction = Transaction::on(TABLE);
        add_elements(&mut transaction, owner, mappings, addresses);
        Ok(open()?.commit(transaction))
    };
    let mut added = add()?;
    if matches!(&added, Err(refused) if refused.errno == Errno::EEXIST) {
        let gone = RefCell::new(BTreeMap::new());
        let maps = port_elements(owner, mappings, addresses);
        let is_wanted = |map: &str, found: &Element| {
            let mut wanted = maps.iter().filter(|(name, _)| *name == map);
            wanted.any(|(_, wanted)| wanted.iter().any(|one| one.same_key(found)))
        };
        let is_gone = |other: &PortOwner, map: &str, found: &Element| {
            let pod = &other.container;
            if *pod == owner.container {
                // Of the pod's other interfaces, only what this one has from now on.
                return other.meets(owner) || is_wanted(map, found);
            }
            *gone
                .borrow_mut()
                .entry(pod.clone())
                .or_insert_with(|| evict(pod))
        };
        remove_elements(is_gone, &[])?;
        added = add()?;
    }
    added.map_err(NetworkError::at("forward the pod's ports"))?;
    forget(mappings)
}

/// Datagrams that came before, or after a pod's end, fix the way of those that follow.
fn forget(mappings: &[PortMapping]) -> Result<(), NetworkError> {
    let ports: Vec<u16> = mappings
        .iter()
        .filter(|mapping| mapping.protocol == Protocol::Udp)
        .flat_map(|mapping| mapping.pairs().map(|(host, _)| host))
        .collect();
    conntrack::forget_udp(&ports).map_err(NetworkError::at("forget old exchanges of datagrams"))
}

/// Takes back the ports of owners of whom `gone` is true, in one transaction. How many those were.
pub(super) fn remove_ports(
    gone: impl Fn(&PortOwner) -> bool,
    mappings: &[PortMapping],
) -> Result<usize, NetworkError> {
    remove_elements(|owner, _, _| gone(owner), mappings)
}

/// As [`remove_ports`], by the element too, and by the map that it is in.
fn remove_elements(
    gone: impl Fn(&PortOwner, &str, &Element) -> bool,
    mappings: &[PortMapping],
) -> Result<usize, NetworkError> {
    let mut nftables = open()?;
    // Somebody else may remove of the same, while it is dead and gc comes by.
    for _ in 0..5 {
        let mut transaction = Transaction::on(TABLE);
        let mut count = 0;
        for map in PORT_MAPS {
            let own: Vec<_> = elements(&mut nftables, map)?
                .into_iter()
                .filter(|element| {
                    let owner = element.owner.as_deref();
                    owner.is_some_and(|owner| {
                        owner.parse().is_ok_and(|owner| gone(&owner, map, element))
                    })
                })
                .collect();
            count += own.len();
            transaction.remove(map, &own);
        }
        match nftables.commit(transaction) {
            Err(refused) if refused.errno == Errno::ENOENT => (),
            outcome => {
                outcome.map_err(NetworkError::at("release the pod's ports"))?;
                forget(mappings)?;
                return Ok(count);
            }
        }
    }
    Err(NetworkError::at("release the pod's ports")(Errno::ENOENT))
}

/// Takes back all ports of a pod, or of one of its interfaces.
pub(crate) fn forget_ports(owner: &PortOwner) -> Result<(), NetworkError> {
    remove_ports(|other| other.meets(owner), &[]).map(|_| ())
}

/// What keeps one of the ports of a pod's interface from leading there; nothing if all do. Who asks for a port in two
/// of a pod's networks has it by one of them.
pub(super) fn missing_port(
    owner: &PortOwner,
    mappings: &[PortMapping],
    addresses: &[IpAddr],
) -> Result<Option<String>, NetworkError> {
    let mut nftables = open()?;
    let by_other = |found: &Element| {
        let other = found.owner.as_deref().and_then(|owner| owner.parse().ok());
        other.is_some_and(|other: PortOwner| {
            other.container == owner.container && !other.meets(owner)
        })
    };
    let mut there: Vec<BTreeMap<Vec<u8>, Element>> = Vec::new();
    for (map, wanted) in port_elements(owner, mappings, addresses) {
        let found = match wanted.is_empty() {
            true => Vec::new(),
            false => elements(&mut nftables, map)?,
        };
        let by_key = found.into_iter().map(|one| (one.key().to_vec(), one));
        there.push(by_key.collect());
    }
    for mapping in mappings {
        let maps = port_elements(owner, std::slice::from_ref(mapping), addresses);
        for ((_, wanted), found) in maps.iter().zip(&there) {
            for one in wanted {
                let reason = match found.get(one.key()) {
                    None => "is not forwarded",
                    Some(found) if found.leads_as(one) || by_other(found) => continue,
                    Some(_) => "leads elsewhere",
                };
                return Ok(Some(format!("port {} {reason}", mapping.host_side())));
            }
        }
    }
    Ok(None)
}

/// Chains of other programs that drop forwarded packets unless one of their own rules lets them pass: with them, pods
/// of built-in networks may reach nobody, and it is theirs to be changed.
pub(crate) fn foreign_drops() -> Result<Vec<String>, NetworkError> {
    open()?
        .dropping_forward_chains(TABLE, LINK_PREFIX)
        .map_err(NetworkError::at("read the rules of others"))
}
