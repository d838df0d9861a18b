//! The networks of a pod, its ports, and what names resolve to.

use clap::Args;
use cni_glue::bandwidth::BandwidthSpec;
use cni_glue::names::HostsEntry;
use cni_glue::ports::PortSpec;

/// Flags of a pod's network.
#[derive(Debug, Args)]
#[command(next_help_heading = "Network flags, before the first image")]
pub(crate) struct NetworkArguments {
    /// Networks of the pod: names with arguments, or `none`, `host`, `all` [default: default]
    #[arg(
        long,
        value_name = "NAME[:KEY=VALUE;…],…",
        env = "FAIRING_NET",
        hide_env = true
    )]
    pub(crate) net: Vec<String>,
    /// Port of the host that leads to the pod; ranges as 8000-8010
    #[arg(short, long, value_name = "[IP:]HOSTPORT:PORT[/PROTOCOL]")]
    pub(crate) port: Vec<PortSpec>,
    /// Most that each interface receives (in) and sends (out), as in=10mbit,out=5mbit
    #[arg(long, value_name = "in=RATE,out=RATE[,in-burst=SIZE,out-burst=SIZE]")]
    pub(crate) bandwidth: Option<BandwidthSpec>,
    /// Whom to ask for names: addresses, or `host`, `none` [default: as the networks or the host say]
    #[arg(long, value_name = "IP,…")]
    pub(crate) dns: Vec<String>,
    /// What short names are completed with
    #[arg(long, value_name = "DOMAIN")]
    pub(crate) dns_search: Vec<String>,
    /// Option of resolv.conf
    #[arg(long, value_name = "OPTION")]
    pub(crate) dns_opt: Vec<String>,
    /// Line of /etc/hosts
    #[arg(long, value_name = "IP=NAME[,NAME…]")]
    pub(crate) hosts_entry: Vec<HostsEntry>,
}
