//! What networks of pods are made of.

use engine::machine::{Availability, Machine};

use super::area::Area;
use super::area::Severity::{Note, Warning};

const PARTS: [(&str, super::area::Severity, &str); 4] = [
    (
        "bridge",
        Warning,
        "networks of the mode bridge can't be made: --net=host and --net=none are left",
    ),
    (
        "veth",
        Warning,
        "pods can't be joined to networks: --net=host and --net=none are left",
    ),
    (
        "nf_tables",
        Warning,
        "ports, and the way out of networks, can't be led: --net=host and --net=none are left",
    ),
    (
        "macvlan",
        Note,
        "networks of the mode macvlan can't be made",
    ),
];

pub(super) fn checks(machine: &Machine) -> Area {
    let mut area = Area::new("networks");
    for (name, severity, meaning) in PARTS {
        match machine.modules.get(name) {
            Availability::Present => area.fine(name, "in the kernel"),
            Availability::Loadable => area.fine(name, "a module that is loaded when it is needed"),
            Availability::Unseen => area.lacks(name, severity, "nothing is seen of it", meaning),
        }
    }
    match &machine.networks.other_fairing {
        None => area.fine("other fairings", "none in this network namespace"),
        Some(state) => area.lacks(
            "other fairings",
            Warning,
            format!("one that keeps its state in {state} has the firewall rules of pods"),
            "pods join no built-in networks but macvlan: --net=host and --net=none are left, and other network namespaces",
        ),
    }
    match machine
        .kernel
        .settings
        .get("net.ipv4.ip_forward")
        .map(String::as_str)
    {
        Some("1") => area.fine("net.ipv4.ip_forward", "1"),
        Some(other) => area.lacks(
            "net.ipv4.ip_forward",
            Note,
            other,
            "it is set when a pod joins a network with a way out",
        ),
        None => area.lacks(
            "net.ipv4.ip_forward",
            Warning,
            "none",
            "the kernel has no IPv4",
        ),
    }
    area
}
