//! What names resolve to in a pod: the texts of its `/etc/hosts` and `/etc/resolv.conf`.

use std::io::Write;
use std::net::IpAddr;

use cni_glue::attach::Peers;
use cni_glue::interface::InterfaceConfig;
use cni_glue::names::{self, DnsMode, DnsOptions};
use cni_glue::status::NetworkStatus;
use pod::manifest::{Network, PodManifest};

use crate::protocol::FileText;

/// What an isolator made of a pod's network.
#[derive(Debug, Default)]
pub struct PodNetwork {
    /// The networks that the pod has joined.
    pub status: NetworkStatus,
    /// Other pods that it finds by name, not asked yet; none if no network of its tells.
    pub peers: Option<Peers>,
    /// What pod init makes in a machine of its own.
    pub interfaces: Option<Vec<InterfaceConfig>>,
}

/// Where a host that asks a resolver of its own notes whom that one asks.
const UPSTREAM: &str = "/run/systemd/resolve/resolv.conf";

/// The text of the pod's `/etc/hosts`.
pub(super) fn hosts(
    manifest: &PodManifest,
    network: &PodNetwork,
    peers: Vec<(IpAddr, String)>,
) -> FileText {
    if manifest.network == Network::Host {
        let mut text = host_file("/etc/hosts");
        if !text.is_empty() {
            if !text.ends_with(b"\n") {
                text.push(b'\n');
            }
            for entry in &manifest.hosts {
                // Writing to memory does not fail.
                let _ = writeln!(text, "{}\t{}", entry.address, entry.names.join(" "));
            }
            return FileText(text);
        }
    }
    let mut own = vec![manifest.hostname.as_str()];
    if let Some(name) = &manifest.name
        && name.as_str() != manifest.hostname
    {
        own.push(name.as_str());
    }
    let text = names::hosts(&own, network.status.addresses(), &manifest.hosts, peers);
    FileText(text.into_bytes())
}

/// The text of the pod's `/etc/resolv.conf`.
pub(super) fn resolv_conf(manifest: &PodManifest, network: &PodNetwork) -> FileText {
    let wanted = &manifest.dns;
    FileText(match manifest.network {
        // Nobody can be asked, unless the user says so.
        Network::None if wanted.mode == DnsMode::Automatic => names::resolv_conf(wanted, None, b""),
        // A name server on the host's loopback is the pod's too.
        Network::Host if wanted.mode == DnsMode::Automatic && wanted.servers.is_empty() => {
            let of_host = DnsOptions {
                mode: DnsMode::Host,
                ..wanted.clone()
            };
            names::resolv_conf(&of_host, None, &host_file("/etc/resolv.conf"))
        }
        Network::Host => names::resolv_conf(wanted, None, &host_file("/etc/resolv.conf")),
        _ => {
            let own = host_file("/etc/resolv.conf");
            let upstream = std::fs::read(UPSTREAM).ok();
            let host = match wanted.mode {
                DnsMode::Host => &own,
                _ => names::host_resolver(&own, upstream.as_deref()),
            };
            let networks = network.status.networks.iter().map(|network| &network.dns);
            names::resolv_conf(wanted, networks, host)
        }
    })
}

/// A host without the file has nothing to show.
fn host_file(path: &str) -> Vec<u8> {
    std::fs::read(path).unwrap_or_default()
}
