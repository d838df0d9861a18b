//! What names resolve to in a pod: its files `/etc/resolv.conf`, `/etc/hosts` and `/etc/hostname`. Pure functions.

mod host_name;
mod hosts;
mod name_server;
mod peers;
mod resolv_conf;

pub use hosts::{HostsEntry, InvalidHostsEntry, hostname, hosts};
pub use name_server::{InvalidNameServer, NameServer};
pub use peers::{Edit, MARK, PeerChanges, edits};
pub use resolv_conf::{DnsMode, DnsOptions, InvalidDns, host_resolver, resolv_conf};
