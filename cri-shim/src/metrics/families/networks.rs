//! What went through networks.

use crate::metrics::family::{Family, each};

macro_rules! traffic {
    ($name:literal, $help:literal, $direction:ident, $count:ident) => {
        each($name, $help, "interface", |facts| {
            let interfaces = facts.interfaces.iter();
            interfaces
                .map(|one| (one.name.clone(), one.$direction.$count))
                .collect()
        })
    };
}

/// The metrics.
pub(super) const FAMILIES: &[Family] = &[
    traffic!(
        "container_network_receive_bytes_total",
        "Bytes received",
        received,
        bytes
    ),
    traffic!(
        "container_network_receive_packets_total",
        "Packets received",
        received,
        packets
    ),
    traffic!(
        "container_network_receive_errors_total",
        "Packets received with errors",
        received,
        errors
    ),
    traffic!(
        "container_network_receive_packets_dropped_total",
        "Packets received and dropped",
        received,
        dropped
    ),
    traffic!(
        "container_network_transmit_bytes_total",
        "Bytes sent",
        sent,
        bytes
    ),
    traffic!(
        "container_network_transmit_packets_total",
        "Packets sent",
        sent,
        packets
    ),
    traffic!(
        "container_network_transmit_errors_total",
        "Packets that could not be sent",
        sent,
        errors
    ),
    traffic!(
        "container_network_transmit_packets_dropped_total",
        "Packets dropped before they were sent",
        sent,
        dropped
    ),
];
