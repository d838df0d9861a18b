//! The table of this project: chains and rules that are the same on every machine.
//!
//! Interfaces of ours have names that begin with `fairing`, by which the rules know them; bridges of others are none of
//! our business.

use super::expression::{Connection, Expression, Field, Meta, R0, R1, R2, R4, R5, Verdict};
use super::hook::{
    FORWARD, Hook, OUTPUT, POSTROUTING, PREROUTING, PRIORITY_DSTNAT, PRIORITY_FILTER, PRIORITY_RAW,
    PRIORITY_SRCNAT,
};
use super::transaction::{Keys, SetType, Transaction};
use crate::builtin::LINK_PREFIX;

/// The name of the table, in the family `inet`.
pub(crate) const TABLE: &str = "fairing";
/// How the table's comment begins: which rules are in it. Whose it is, follows.
pub(crate) const VERSION: &str = "rules 4";

/// Ports of the host: protocol and port, to a pod's address and port.
pub(crate) const PORTS_V4_ANY: &str = "ports-v4";
/// As [`PORTS_V4_ANY`], on one address of the host.
pub(crate) const PORTS_V4_AT: &str = "ports-v4-at";
/// For IPv6.
pub(crate) const PORTS_V6_ANY: &str = "ports-v6";
/// For IPv6, on one address of the host.
pub(crate) const PORTS_V6_AT: &str = "ports-v6-at";
/// Networks whose pods are seen with the host's address outside.
pub(crate) const SUBNETS_V4: &str = "subnets-v4";
/// For IPv6.
pub(crate) const SUBNETS_V6: &str = "subnets-v6";
/// Networks whose pods are seen with their own addresses.
pub(crate) const ROUTED_V4: &str = "routed-v4";
/// For IPv6.
pub(crate) const ROUTED_V6: &str = "routed-v6";
/// From where to where in one network: its addresses twice.
pub(crate) const WITHIN_V4: &str = "within-v4";
/// For IPv6.
pub(crate) const WITHIN_V6: &str = "within-v6";
/// Links over which nothing is forwarded.
pub(crate) const RESTRICTED: &str = "restricted";

const IPV4: u8 = 2;
const IPV6: u8 = 10;
const RTN_LOCAL: u32 = 2;
const ESTABLISHED_OR_RELATED: u32 = 2 | 4;
const DESTINATION_CHANGED: u32 = 1 << 5;

const V4_SOURCE: Field = Field::of_network(12, 4);
const V4_DESTINATION: Field = Field::of_network(16, 4);
const V6_SOURCE: Field = Field::of_network(8, 16);
const V6_DESTINATION: Field = Field::of_network(24, 16);
const DESTINATION_PORT: Field = Field::of_transport(2, 2);

const TYPE_V4: SetType = SetType { kind: 7, length: 4 };
const TYPE_V6: SetType = SetType {
    kind: 8,
    length: 16,
};
const TYPE_INTERFACE: SetType = SetType {
    kind: 41,
    length: 16,
};

/// Makes the table, empty of what networks and pods own. One that is there is replaced if `outdated` is true, and else in
/// the way.
pub(crate) fn create(transaction: &mut Transaction, comment: &str, outdated: bool) {
    if outdated {
        // Removed and made again at once: what was left of an older version goes.
        transaction.delete_table();
    }
    transaction.new_table(comment);
    sets(transaction);
    transaction.new_chain("ports", None);
    for (name, kind, number, priority) in [
        ("raw", "filter", PREROUTING, PRIORITY_RAW),
        ("prerouting", "nat", PREROUTING, PRIORITY_DSTNAT),
        ("output", "nat", OUTPUT, PRIORITY_DSTNAT),
        ("forward", "filter", FORWARD, PRIORITY_FILTER),
        ("postrouting", "nat", POSTROUTING, PRIORITY_SRCNAT),
    ] {
        let hook = Hook {
            kind,
            number,
            priority,
        };
        transaction.new_chain(name, Some(hook));
    }
    port_rules(transaction);
    border_rules(transaction);
    masquerade_rules(transaction);
}

fn sets(transaction: &mut Transaction) {
    let protocol = SetType {
        kind: 12,
        length: 1,
    };
    let port = SetType {
        kind: 13,
        length: 2,
    };
    for (any, at, subnets, routed, within, address) in [
        (
            PORTS_V4_ANY,
            PORTS_V4_AT,
            SUBNETS_V4,
            ROUTED_V4,
            WITHIN_V4,
            TYPE_V4,
        ),
        (
            PORTS_V6_ANY,
            PORTS_V6_AT,
            SUBNETS_V6,
            ROUTED_V6,
            WITHIN_V6,
            TYPE_V6,
        ),
    ] {
        let target = [address, port];
        let target = Some(target.as_slice());
        transaction.new_set(any, Keys::Exact(&[protocol, port]), target);
        transaction.new_set(at, Keys::Exact(&[address, protocol, port]), target);
        transaction.new_set(subnets, Keys::Ranges(address), None);
        transaction.new_set(routed, Keys::Ranges(address), None);
        transaction.new_set(within, Keys::RangesOf(&[address, address]), None);
    }
    transaction.new_set(RESTRICTED, Keys::Exact(&[TYPE_INTERFACE]), None);
}

fn ours(meta: Meta) -> [Expression; 2] {
    [
        Expression::Meta(meta, R0),
        Expression::Equal(R0, LINK_PREFIX.into()),
    ]
}

fn foreign(meta: Meta) -> [Expression; 2] {
    [
        Expression::Meta(meta, R0),
        Expression::NotEqual(R0, LINK_PREFIX.into()),
    ]
}

fn is_family(family: u8) -> [Expression; 2] {
    [
        Expression::Meta(Meta::Family, R0),
        Expression::Equal(R0, vec![family]),
    ]
}

/// One of these bits is set.
fn connection(what: Connection, bits: u32) -> [Expression; 3] {
    [
        Expression::Connection(what, R0),
        Expression::Mask(R0, bits.to_ne_bytes().to_vec()),
        Expression::NotEqual(R0, vec![0; 4]),
    ]
}

/// None of these bits is set.
fn no_connection(what: Connection, bits: u32) -> [Expression; 3] {
    [
        Expression::Connection(what, R0),
        Expression::Mask(R0, bits.to_ne_bytes().to_vec()),
        Expression::Equal(R0, vec![0; 4]),
    ]
}

/// `::1`.
fn v6_loopback() -> Vec<u8> {
    let mut loopback = vec![0; 15];
    loopback.push(1);
    loopback
}

/// What is sent to the host itself, from outside, from pods or from the host, goes to the pod that has the port.
fn port_rules(transaction: &mut Transaction) {
    // Ports on localhost are the host's own programs' to reach. From elsewhere such packets come in where somebody
    // has switched on `route_localnet`, as cluster software does for all interfaces.
    let mut rule = is_family(IPV4).to_vec();
    rule.extend([
        Expression::Payload(V4_DESTINATION, R0),
        Expression::Equal(R0, vec![127]),
        Expression::Verdict(Verdict::Accept),
    ]);
    transaction.new_rule("prerouting", "localhost is for the host", &rule);
    for chain in ["prerouting", "output"] {
        let rule = [
            Expression::DestinationType(R0),
            Expression::Equal(R0, RTN_LOCAL.to_ne_bytes().to_vec()),
            Expression::Verdict(Verdict::Jump("ports")),
        ];
        transaction.new_rule(chain, "to the host itself", &rule);
    }
    for (family, field, at, any, [protocol, port], to) in [
        (
            IPV4,
            V4_DESTINATION,
            PORTS_V4_AT,
            PORTS_V4_ANY,
            [R1, R2],
            R1,
        ),
        (
            IPV6,
            V6_DESTINATION,
            PORTS_V6_AT,
            PORTS_V6_ANY,
            [R4, R5],
            R4,
        ),
    ] {
        let nat = Expression::DestinationNat {
            family,
            address: R0,
            port: to,
        };
        let mut rule = is_family(family).to_vec();
        rule.extend([
            Expression::Payload(field, R0),
            Expression::Meta(Meta::Protocol, protocol),
            Expression::Payload(DESTINATION_PORT, port),
            Expression::Map {
                name: at,
                key: R0,
                value: R0,
            },
            nat.clone(),
        ]);
        transaction.new_rule("ports", "on one address", &rule);
        let mut rule = is_family(family).to_vec();
        if family == IPV6 {
            // The kernel lets no packet of this address leave the loopback. Better refused at once than never
            // answered: programs then try 127.0.0.1.
            rule.extend([
                Expression::Payload(field, R0),
                Expression::NotEqual(R0, v6_loopback()),
            ]);
        }
        rule.extend([
            Expression::Meta(Meta::Protocol, R0),
            Expression::Payload(DESTINATION_PORT, R1),
            Expression::Map {
                name: any,
                key: R0,
                value: R0,
            },
            nat,
        ]);
        transaction.new_rule("ports", "on every address", &rule);
    }
}

/// Which packets may cross.
fn border_rules(transaction: &mut Transaction) {
    // Our links let loopback addresses pass, for the sake of ports on localhost. What a pod sends to one
    // must not reach the host's own services.
    let mut rule = ours(Meta::InterfaceIn).to_vec();
    rule.extend(is_family(IPV4));
    rule.extend([
        Expression::Payload(V4_DESTINATION, R0),
        Expression::Equal(R0, vec![127]),
        Expression::Verdict(Verdict::Drop),
    ]);
    transaction.new_rule("raw", "the host's loopback is its own", &rule);

    // Among themselves they may talk, which is seen here if the bridge itself filters.
    for (one, other) in [
        (Meta::InterfaceIn, Meta::InterfaceOut),
        (Meta::InterfaceOut, Meta::InterfaceIn),
    ] {
        let rule = [
            Expression::Meta(one, R0),
            Expression::In(RESTRICTED, R0),
            Expression::Meta(other, R0),
            Expression::NotIn(RESTRICTED, R0),
            Expression::Verdict(Verdict::Drop),
        ];
        transaction.new_rule("forward", "restricted networks", &rule);
    }
    let mut rule = connection(Connection::State, ESTABLISHED_OR_RELATED).to_vec();
    rule.push(Expression::Verdict(Verdict::Accept));
    transaction.new_rule("forward", "answers", &rule);
    let mut rule = foreign(Meta::InterfaceIn).to_vec();
    rule.extend(ours(Meta::InterfaceOut));
    rule.extend(no_connection(Connection::Status, DESTINATION_CHANGED));
    rule.push(Expression::Verdict(Verdict::Drop));
    transaction.new_rule("forward", "from outside, published ports alone", &rule);
    own_source_rules(transaction);
    separation_rules(transaction);
}

/// What pods send to the outside is from an address of a network of theirs, not from one that was made up.
fn own_source_rules(transaction: &mut Transaction) {
    for (family, field, subnets, routed) in [
        (IPV4, V4_SOURCE, SUBNETS_V4, ROUTED_V4),
        (IPV6, V6_SOURCE, SUBNETS_V6, ROUTED_V6),
    ] {
        let mut rule = ours(Meta::InterfaceIn).to_vec();
        rule.extend(foreign(Meta::InterfaceOut));
        rule.extend(is_family(family));
        rule.extend([
            Expression::Payload(field, R0),
            Expression::NotIn(subnets, R0),
            Expression::NotIn(routed, R0),
            Expression::Verdict(Verdict::Drop),
        ]);
        transaction.new_rule(
            "forward",
            "to the outside, from pods' addresses alone",
            &rule,
        );
    }
}

/// Pods of one network don't reach those of another, but by published ports. What goes to all, and what neighbours
/// tell each other, is seen here only within one network, if the bridge itself filters.
fn separation_rules(transaction: &mut Transaction) {
    let begins_not = |field: Field, length, mask: &[u8], value: &[u8]| {
        [
            Expression::Payload(field.first(length), R0),
            Expression::Mask(R0, mask.to_vec()),
            Expression::NotEqual(R0, value.to_vec()),
        ]
    };
    let no_link_local = |field| begins_not(field, 2, &[0xff, 0xc0], &[0xfe, 0x80]);
    for (family, source, destination, multicast, second, within) in [
        (IPV4, V4_SOURCE, V4_DESTINATION, 0xe0, R1, WITHIN_V4),
        (IPV6, V6_SOURCE, V6_DESTINATION, 0xff, R4, WITHIN_V6),
    ] {
        let mut rule = ours(Meta::InterfaceIn).to_vec();
        rule.extend(ours(Meta::InterfaceOut));
        rule.extend(is_family(family));
        rule.extend(no_connection(Connection::Status, DESTINATION_CHANGED));
        rule.extend(begins_not(destination, 1, &[multicast], &[multicast]));
        if family == IPV6 {
            rule.extend(no_link_local(source));
            rule.extend(no_link_local(destination));
        }
        rule.extend([
            Expression::Payload(source, R0),
            Expression::Payload(destination, second),
            Expression::NotIn(within, R0),
            Expression::Verdict(Verdict::Drop),
        ]);
        transaction.new_rule("forward", "networks are apart", &rule);
    }
}

/// Whose source address becomes the host's.
fn masquerade_rules(transaction: &mut Transaction) {
    let add = |transaction: &mut Transaction, note: &str, mut rule: Vec<Expression>| {
        rule.push(Expression::Masquerade);
        transaction.new_rule("postrouting", note, &rule);
    };
    // From the host's loopback to a pod.
    let mut rule = ours(Meta::InterfaceOut).to_vec();
    rule.extend(is_family(IPV4));
    rule.extend([
        Expression::Payload(V4_SOURCE, R0),
        Expression::Equal(R0, vec![127]),
    ]);
    add(transaction, "localhost", rule);
    // From a pod to a published port of a pod: the answer would take a shorter way and not be recognized. The
    // interface that it came in by isn't known here if the bridge itself filters.
    for (family, source, sets) in [
        (IPV4, V4_SOURCE, [SUBNETS_V4, ROUTED_V4]),
        (IPV6, V6_SOURCE, [SUBNETS_V6, ROUTED_V6]),
    ] {
        for set in sets {
            let mut rule = ours(Meta::InterfaceOut).to_vec();
            rule.extend(is_family(family));
            rule.extend([Expression::Payload(source, R0), Expression::In(set, R0)]);
            rule.extend(connection(Connection::Status, DESTINATION_CHANGED));
            add(transaction, "pods, by published ports", rule);
        }
    }
    // Pods of a restricted network know no way to others.
    let mut rule = vec![
        Expression::Meta(Meta::InterfaceOut, R0),
        Expression::In(RESTRICTED, R0),
    ];
    rule.extend(connection(Connection::Status, DESTINATION_CHANGED));
    add(transaction, "published ports of restricted networks", rule);
    for (family, source, destination, subnets, multicast, mask) in [
        (IPV4, V4_SOURCE, V4_DESTINATION, SUBNETS_V4, 0xe0, 0xf0),
        (IPV6, V6_SOURCE, V6_DESTINATION, SUBNETS_V6, 0xff, 0xff),
    ] {
        let mut rule = is_family(family).to_vec();
        rule.extend([
            Expression::Payload(source, R0),
            Expression::In(subnets, R0),
            Expression::Payload(destination, R0),
            Expression::NotIn(subnets, R0),
            Expression::Payload(destination.first(1), R0),
            Expression::Mask(R0, vec![mask]),
            Expression::NotEqual(R0, vec![multicast]),
        ]);
        add(transaction, "to the outside", rule);
    }
}
