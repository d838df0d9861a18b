//! Settings of the kernel that netlink doesn't reach: whether packets are passed on.
//!
//! Where the host passes on packets already, nothing is changed. Where it doesn't, that is switched on for the
//! interfaces of built-in networks, and for those that lead out of the host, whose answers must come back; never for
//! interfaces to come. IPv6 knows this for single interfaces since Linux 6.17 (`force_forwarding`). Before, it is on
//! for all or for none; it is switched on for all, and interfaces that learn their addresses from routers are told
//! to go on doing so.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::config::LINK_PREFIX;
use crate::error::NetworkError;
use crate::netlink::link::{self, Ipv4Setting};
use crate::netlink::message::Batch;
use crate::netlink::rtnetlink::Rtnetlink;
use crate::record::FileError;

const IPV4_ALL: &str = "/proc/sys/net/ipv4/ip_forward";
const IPV6_CONF: &str = "/proc/sys/net/ipv6/conf";

fn ipv6(interface: &str, setting: &str) -> PathBuf {
    Path::new(IPV6_CONF).join(interface).join(setting)
}

/// Whether a setting is there and not zero.
fn is_set(path: &Path) -> bool {
    fs::read(path).is_ok_and(|value| value.first().is_some_and(|digit| *digit != b'0'))
}

fn set(path: &Path, value: &str) -> Result<(), NetworkError> {
    fs::write(path, value).map_err(|error| FileError::io("set", path)(error).into())
}

/// As [`set`]; a setting, or an interface, that there isn't is none that matters.
fn set_if_there(path: &Path, value: &str) -> Result<bool, NetworkError> {
    match fs::write(path, value) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(FileError::io("set", path)(error).into()),
    }
}

/// Whether there is IPv6, and new interfaces may use it.
pub(super) fn has_ipv6() -> bool {
    Path::new(IPV6_CONF).exists()
        && !["all", "default"]
            .iter()
            .any(|all| is_set(&ipv6(all, "disable_ipv6")))
}

/// Lets an interface have IPv6 addresses, where those to come have none by default. For interfaces of our own that
/// are to have some.
pub(super) fn allow_ipv6(interface: &str) -> Result<(), NetworkError> {
    let off = ipv6(interface, "disable_ipv6");
    match is_set(&off) {
        true => set(&off, "0"),
        false => Ok(()),
    }
}

/// The interface, of the calling thread's namespace, takes no word from routers: a pod could pretend to be one.
pub(super) fn ignore_advertisements(interface: &str) -> Result<(), NetworkError> {
    set_if_there(&ipv6(interface, "accept_ra"), "0").map(|_| ())
}

/// Passes on IPv6 that comes in here.
pub(super) fn pass_on_ipv6(interface: &str) -> Result<(), NetworkError> {
    set_if_there(&ipv6(interface, "force_forwarding"), "1").map(|_| ())
}

/// Makes sure that answers from outside are passed on to pods. In the usual case this reads two files.
pub(super) fn ensure(host: &mut Rtnetlink, with_ipv6: bool) -> Result<(), NetworkError> {
    let ipv4_missing = !is_set(Path::new(IPV4_ALL));
    let ipv6_missing = with_ipv6 && !is_set(&ipv6("all", "forwarding"));
    if !ipv4_missing && !ipv6_missing {
        return Ok(());
    }
    for interface in outward(host)? {
        if ipv4_missing {
            let path = Path::new("/proc/sys/net/ipv4/conf")
                .join(&interface)
                .join("forwarding");
            if !is_set(&path) {
                set_if_there(&path, "1")?;
            }
        }
        if ipv6_missing && !is_set(&ipv6(&interface, "force_forwarding")) {
            pass_on_ipv6(&interface)?;
        }
    }
    if ipv6_missing && !ipv6("all", "force_forwarding").exists() {
        for entry in fs::read_dir(IPV6_CONF).into_iter().flatten().flatten() {
            let path = entry.path().join("accept_ra");
            if fs::read(&path).is_ok_and(|value| value.starts_with(b"1")) {
                set_if_there(&path, "2")?;
            }
        }
        set(&ipv6("all", "forwarding"), "1")?;
    }
    Ok(())
}

/// The interfaces with addresses that are good beyond the link, but the loopback's and ours.
fn outward(host: &mut Rtnetlink) -> Result<Vec<String>, NetworkError> {
    let addresses = host
        .addresses()
        .map_err(NetworkError::at("read the host's addresses"))?;
    let links = host
        .links()
        .map_err(NetworkError::at("read the host's links"))?;
    Ok(links
        .into_iter()
        .filter(|link| !link.loopback && !link.name.starts_with(LINK_PREFIX))
        .filter(|link| addresses.iter().any(|a| a.link == link.index && a.global))
        .map(|link| link.name)
        .collect())
}

/// The host's side of a network lets packets of the host's loopback pass, for ports on localhost; passes on
/// what pods send; and doesn't send them elsewhere.
pub(super) fn configure_host_side(batch: &mut Batch, index: u32, restricted: bool) {
    let settings = [
        (Ipv4Setting::RouteLocalnet, 1),
        (Ipv4Setting::SendRedirects, 0),
        (Ipv4Setting::Forwarding, u32::from(!restricted)),
    ];
    link::configure(batch, index, &settings);
}
