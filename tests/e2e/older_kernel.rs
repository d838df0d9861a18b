//! Networks on the oldest kernel that is supported: another nf_tables, forwarding of IPv6 for all
//! interfaces or none, and a bridge whose packets the rules see too (`br_netfilter`), as beside
//! Docker and Kubernetes.

use std::path::Path;

use harness::{ImageBuilder, Machine};

use crate::machine_checks;

/// The functions `check_NAME` of the script, in the order in which they run.
const CHECKS: [&str; 9] = [
    "pods_reach_each_other_by_address_and_name",
    "published_ports_lead_to_the_pod",
    "the_outside_is_reached_under_the_hosts_address",
    "the_host_goes_on_listening_to_its_routers",
    "networks_are_apart",
    "restricted_pods_stay_inside",
    "bandwidth_is_limited",
    "what_was_killed_is_cleared",
    "nothing_is_left",
];
/// What an ordinary kernel loads when it is asked for.
const MODULES: [&str; 14] = [
    "overlay",
    "veth",
    "bridge",
    "br_netfilter",
    "nf_tables",
    "nft_chain_nat",
    "nft_nat",
    "nft_masq",
    "nft_ct",
    "nft_fib_ipv4",
    "nft_fib_ipv6",
    "nft_fib_inet",
    "nf_conntrack_netlink",
    "sch_tbf",
];

const SCRIPT: &str = include_str!("older_kernel/checks.sh");

#[test]
fn networks_work_on_the_oldest_kernel_and_where_bridges_filter() {
    let images = tempfile::tempdir().unwrap();
    ImageBuilder::busybox()
        .build()
        .write_layout(images.path(), "busybox");
    let mut machine = machine_checks::machine(SCRIPT, &CHECKS, images.path());
    for tool in ["ip", "nft"] {
        // What is there may be a link to where busybox will be.
        let path = Path::new("/usr/sbin").join(tool).canonicalize().unwrap();
        machine = machine
            .copy(&path, &format!("/usr/sbin/{tool}"))
            .libraries_of(&path);
    }
    let machine = MODULES.into_iter().fold(machine, Machine::module);
    machine_checks::expect_all(machine, &CHECKS);
}
