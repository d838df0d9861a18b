//! The networks of a pod, its ports, and what names resolve to.

use clap::Args;
use cni_glue::bandwidth::BandwidthSpec;
use cni_glue::config::Selection;
use cni_glue::names::{DnsOptions, HostsEntry, InvalidDns};
use cni_glue::ports::PortSpec;
use engine::networks::spec::NetworkSpec;

use crate::wording::failure::Failure;

/// Environment variable: the networks of pods that name none.
pub(crate) const NET_VARIABLE: &str = "FAIRING_NET";

/// Flags of a pod's network.
#[derive(Debug, Args)]
#[command(next_help_heading = "Network flags, before the first image")]
pub(crate) struct NetworkArguments {
    /// Networks of the pod: names with arguments, or `none`, `host`, `all` [default: default]
    #[arg(
        long,
        value_name = "NAME[:KEY=VALUE;…],…",
        env = NET_VARIABLE,
        hide_env = true
    )]
    net: Vec<String>,
    /// Port of the host that leads to the pod; ranges are written 8000-8010
    #[arg(short, long, value_name = "[IP:]HOSTPORT:PORT[/PROTOCOL]")]
    port: Vec<PortSpec>,
    /// The most that each interface receives (in) and sends (out), such as in=10mbit,out=5mbit
    #[arg(long, value_name = "in=RATE,out=RATE[,in-burst=SIZE,out-burst=SIZE]")]
    bandwidth: Option<BandwidthSpec>,
    /// Name servers: addresses, `host` or `none` [default: those of the networks or the host]
    #[arg(long, value_name = "IP,…")]
    dns: Vec<String>,
    /// Search domain: what short names are completed with
    #[arg(long, value_name = "DOMAIN")]
    dns_search: Vec<String>,
    /// Option of resolv.conf
    #[arg(long, value_name = "OPTION")]
    dns_opt: Vec<String>,
    /// Line of /etc/hosts
    #[arg(long, value_name = "IP=NAME[,NAME…]")]
    hosts_entry: Vec<HostsEntry>,
}

fn usage(flag: &str, error: &dyn std::fmt::Display) -> Failure {
    Failure::Usage(format!("{flag}: {error}"))
}

/// The flag whose value it is.
fn dns_flag(error: &InvalidDns) -> &'static str {
    match error {
        InvalidDns::Server(_) | InvalidDns::Alone(_) | InvalidDns::Both => "--dns",
        InvalidDns::Search(_) => "--dns-search",
        InvalidDns::Option(_) => "--dns-opt",
    }
}

impl NetworkArguments {
    /// What is asked of the pod's networks, understood as far as that goes without its images.
    ///
    /// # Errors
    /// [`Failure::Usage`] for what makes no sense.
    pub(crate) fn spec(self) -> Result<NetworkSpec, Failure> {
        fn words(values: &[String]) -> impl Iterator<Item = &str> {
            values.iter().map(String::as_str)
        }
        let selection =
            Selection::parse(words(&self.net)).map_err(|error| usage("--net", &error))?;
        let dns = DnsOptions::parse(
            words(&self.dns),
            words(&self.dns_search),
            words(&self.dns_opt),
        )
        .map_err(|error| usage(dns_flag(&error), &error))?;
        let spec = NetworkSpec {
            selection,
            ports: self.port,
            bandwidth: self.bandwidth.map(|spec| spec.0),
            dns,
            hosts: self.hosts_entry,
        };
        spec.check().map_err(engine::Error::from)?;
        Ok(spec)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonsense_about_names_is_refused_with_the_flag_that_it_came_from() {
        let flag = |servers: &[&str], search: &[&str], options: &[&str]| {
            let [servers, search, options] =
                [servers, search, options].map(|values| values.iter().copied());
            dns_flag(&DnsOptions::parse(servers, search, options).unwrap_err())
        };
        assert_eq!(flag(&["dns.example"], &[], &[]), "--dns");
        assert_eq!(flag(&["1.1.1.1", "none"], &[], &[]), "--dns");
        assert_eq!(flag(&["host,none"], &[], &[]), "--dns");
        assert_eq!(flag(&[], &["a b"], &[]), "--dns-search");
        assert_eq!(flag(&[], &[], &[""]), "--dns-opt");
    }
}
