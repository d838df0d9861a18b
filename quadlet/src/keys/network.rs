//! `[Network]`.

use super::key::Meaning::{Own, PodSwitch};
use super::key::{GLOBAL, Key, MODULE, lines, one, refused, words};

/// In the order of their names.
pub(crate) const NETWORK: &[Key] = &[
    refused("ContainersConfModule", MODULE),
    refused(
        "DNS",
        "name servers are a pod's: DNS= of [Container] or [Pod]",
    ),
    one(
        "DisableDNS",
        Own("nothing if false; if true, refused: pods of a network find each other"),
    ),
    one("Driver", Own("`--mode`: `bridge`, `ptp` or `macvlan`")),
    refused("Gateway", "the first address of a network is the host's"),
    refused("GlobalArgs", GLOBAL),
    one(
        "IPAMDriver",
        Own("nothing if `host-local`, which it is; others are refused"),
    ),
    refused("IPRange", "all addresses of a network are for its pods"),
    one(
        "IPv6",
        Own("nothing if true: built-in networks have it; false is refused"),
    ),
    refused("InterfaceName", "bridges have names of their own"),
    one("Internal", PodSwitch("--restricted", "")),
    refused("Label", "networks have no labels"),
    one("NetworkDeleteOnStop", Own("`ExecStop=fairing network rm`")),
    one("NetworkName", Own("the name")),
    words(
        "Options",
        Own("`mtu=` is `--mtu`, `parent=` is `--master`; others are refused"),
    ),
    words(
        "PodmanArgs",
        Own("further flags of `fairing network create`, as they are"),
    ),
    one("ServiceName", Own("the unit's name, without `.service`")),
    lines("Subnet", Own("`--subnet`, `--subnet6`: one of each")),
];
