//! The networks of a pod, its ports, and what names resolve to.

use std::net::{IpAddr, UdpSocket};

use clap::Args;
use cni_glue::bandwidth::BandwidthSpec;
use cni_glue::config::Selection;
use cni_glue::names::{DnsOptions, HostsEntry, InvalidDns};
use cni_glue::ports::PortSpec;
use engine::networks::spec::NetworkSpec;

use super::network_variable::NET_VARIABLE;
use crate::wording::failure::Failure;

/// Flags of a pod's network.
#[derive(Debug, Args)]
#[command(next_help_heading = "Network flags, before the first image")]
pub(crate) struct NetworkArguments {
    /// Networks to join, or none, host, all
    ///
    /// Names may have arguments: NAME:KEY=VALUE;…. Without this flag, the network `default` is joined.
    #[arg(
        long,
        value_name = "NAME,…",
        alias = "network",
        env = NET_VARIABLE,
        hide_env = true
    )]
    net: Vec<String>,
    /// Port of the host for one of the pod: 8080:80
    ///
    /// Ranges are written 8000-8010. A protocol may follow: 53:53/udp. Without a port of the host, a free
    /// one is taken.
    #[arg(short, long, value_name = "[[IP:]HOST:]POD", alias = "publish")]
    port: Vec<PortSpec>,
    /// Free ports of the host for all exposed ones
    #[arg(short = 'P', long)]
    publish_all: bool,
    /// The most that each interface receives (in) and sends (out), such as in=10mbit,out=5mbit
    #[arg(long, value_name = "in=RATE,out=RATE[,in-burst=SIZE,out-burst=SIZE]")]
    #[arg(hide_short_help = true)]
    bandwidth: Option<BandwidthSpec>,
    /// Name servers: addresses, host or none
    ///
    /// By default, those of the networks or the host are asked.
    #[arg(long, value_name = "IP,…")]
    dns: Vec<String>,
    /// Search domain: what short names are completed with
    #[arg(long, value_name = "DOMAIN", hide_short_help = true)]
    dns_search: Vec<String>,
    /// Option of resolv.conf
    #[arg(
        long,
        value_name = "OPTION",
        alias = "dns-option",
        hide_short_help = true
    )]
    dns_opt: Vec<String>,
    /// Line of /etc/hosts
    #[arg(long, value_name = "IP=NAME[,NAME…]", hide_short_help = true)]
    hosts_entry: Vec<HostsEntry>,
    /// The same, the other way round
    #[arg(long, value_name = "NAME:IP", value_parser = added_host, hide_short_help = true)]
    add_host: Vec<HostsEntry>,
}

/// A line of `/etc/hosts`, as docker and podman take it: `NAME:IP` or `NAME=IP`, an IPv6 address in brackets or bare.
fn added_host(text: &str) -> Result<HostsEntry, String> {
    let malformed = || "it is written NAME:IP".to_owned();
    let (names, address) = text.split_once(['=', ':']).ok_or_else(malformed)?;
    let of_host = match address {
        "host-gateway" => Some(own_address()?.to_string()),
        _ => None,
    };
    let address = of_host.as_deref().unwrap_or(address);
    let address = address
        .strip_prefix('[')
        .and_then(|address| address.strip_suffix(']'))
        .unwrap_or(address);
    let entry = format!("{address}={}", names.replace(';', ","));
    entry.parse().map_err(|_| malformed())
}

/// The addresses that this host has on its ways out. Nothing is sent.
pub(crate) fn own_addresses() -> Vec<IpAddr> {
    // Addresses for documentation: whatever way leads there leads out.
    let ways = [("0.0.0.0:0", "192.0.2.1:9"), ("[::]:0", "[2001:db8::1]:9")];
    let found = ways.iter().filter_map(|(from, to)| {
        let socket = UdpSocket::bind(from).ok()?;
        socket.connect(to).ok()?;
        Some(socket.local_addr().ok()?.ip())
    });
    found.collect()
}

/// The networks that pods join of which nothing is said: none, if the usual one.
pub(crate) fn usual_networks() -> Vec<String> {
    let variable = std::env::var(NET_VARIABLE).unwrap_or_default();
    (!variable.is_empty())
        .then_some(variable)
        .into_iter()
        .collect()
}

/// The address that pods reach this host at.
fn own_address() -> Result<IpAddr, String> {
    let found = own_addresses().into_iter().next();
    found.ok_or_else(|| "this host has no way out, and so no address for host-gateway".to_owned())
}

/// Refuses what other tools call networks and is not there, by name.
pub(crate) fn check_network(text: &str) -> Result<(), Failure> {
    let reason = match text.split([':', ',']).next().unwrap_or_default() {
        "container" | "ns" => "joining another pod's network is not there yet",
        "private" | "pasta" | "slirp4netns" => {
            "there is no such network without root; leave the flag out"
        }
        _ => return Ok(()),
    };
    Err(Failure::Usage(format!("--net {text}: {reason}")))
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
    pub(crate) fn spec(mut self) -> Result<NetworkSpec, Failure> {
        // An empty variable is none; an empty flag stays a mistake.
        if self.net == [""] && std::env::var_os(NET_VARIABLE).is_some_and(|value| value.is_empty())
        {
            self.net.clear();
        }
        fn words(values: &[String]) -> impl Iterator<Item = &str> {
            values.iter().map(String::as_str)
        }
        self.net.iter().try_for_each(|text| check_network(text))?;
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
            is_usual: self.net.is_empty(),
            ports: self.port,
            publish_all: self.publish_all,
            bandwidth: self.bandwidth.map(|spec| spec.0),
            dns,
            hosts: self.hosts_entry.into_iter().chain(self.add_host).collect(),
        };
        spec.check().map_err(engine::Error::from)?;
        Ok(spec)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_added_as_docker_and_podman_take_them() {
        for (text, entry) in [
            ("db:10.0.0.1", "10.0.0.1=db"),
            ("db=10.0.0.1", "10.0.0.1=db"),
            ("a;b:10.0.0.1", "10.0.0.1=a,b"),
            ("db:[::1]", "::1=db"),
            ("db:::1", "::1=db"),
        ] {
            assert_eq!(added_host(text), Ok(entry.parse().unwrap()), "{text}");
        }
        // A machine without a way out has no such address.
        if let Ok(own) = own_address() {
            let entry = format!("{own}=db").parse().unwrap();
            assert_eq!(added_host("db:host-gateway"), Ok(entry));
        }
        for bad in ["", "db", ":1.1.1.1", "db:x"] {
            assert!(added_host(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_others_call_networks_and_is_not_there_is_refused_by_name() {
        for good in ["bridge", "lan:IP=10.0.0.9", "host", "none", "private-lan"] {
            assert!(check_network(good).is_ok(), "{good}");
        }
        for (bad, reason) in [
            ("container:web", "not there yet"),
            ("slirp4netns:port_handler=x", "without root"),
        ] {
            let error = check_network(bad).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
    }

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
