//! Connections to what listens in a pod.

use std::fs::File;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::thread;
use std::time::Duration;

use pod::control::{Request, Response};
use pod::manifest::PodManifest;
use pod::{PodEntry, PodError};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::connection::{ask, connect as connect_to_monitor, unexpected, wait_readable};
use crate::config::directories::Directories;
use crate::error::{Error, PortForwardError};

/// How long who listens may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Where programs listen that are there for their own pod alone.
const LOCALHOST: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::LOCALHOST),
    IpAddr::V6(Ipv6Addr::LOCALHOST),
];

/// Connects to a port of the pod's localhost, by IPv4, then by IPv6. That of a pod in the host's network is the host's. Of a
/// virtual machine, the host reaches no localhost: there it is the pod's addresses, in the order of its networks.
///
/// # Errors
/// If the pod does not run, or nobody listens there.
pub fn connect(entry: &PodEntry, directories: &Directories, port: u16) -> Result<TcpStream, Error> {
    let manifest = PodManifest::load(&entry.path)?;
    if manifest.virtual_machine.is_some() {
        let addresses = pod::network::load(&entry.path)?.unwrap_or_default();
        let networks = addresses.networks.iter();
        let addresses = networks.flat_map(|network| &network.addresses);
        let addresses: Vec<IpAddr> = addresses.map(|one| one.address.address()).collect();
        return Ok(dial(&addresses, port)?);
    }
    let network = network_of(entry, directories)?;
    // A thread is in a namespace of its own without the others being so, and ends with that.
    let dialing = thread::Builder::new().name("port-forward".to_owned());
    let dialing = dialing.spawn(move || {
        let network = network.as_fd();
        move_into_link_name_space(network, Some(LinkNameSpaceType::Network))
            .map_err(|errno| PortForwardError::Join(errno.into()))?;
        dial(&LOCALHOST, port)
    });
    let dialing = dialing.map_err(PortForwardError::Join)?;
    let dialed = dialing
        .join()
        .unwrap_or_else(|_| Err(PortForwardError::Join(io::ErrorKind::Other.into())));
    Ok(dialed?)
}

/// The network namespace of a pod that runs: that very one, whatever becomes of process numbers.
fn network_of(entry: &PodEntry, directories: &Directories) -> Result<OwnedFd, Error> {
    let gone = || Error::from(PodError::NoSuchPod(entry.uuid.to_string()));
    let monitor = connect_to_monitor(entry, directories)?.ok_or_else(gone)?;
    let status = match ask(&monitor, &Request::Status)? {
        Some(Response::Status(status)) => status,
        Some(other) => return Err(unexpected(&other)),
        None => return Err(gone()),
    };
    let path = format!("/proc/{}/ns/net", status.init_pid);
    let network = File::open(&path).map_err(PortForwardError::Join)?;
    // As long as the monitor says nothing of an end, the number is still pod init's.
    match wait_readable(&monitor, Some(Duration::ZERO))? {
        true => Err(gone()),
        false => Ok(network.into()),
    }
}

/// Connects to the first of these that takes the connection.
fn dial(addresses: &[IpAddr], port: u16) -> Result<TcpStream, PortForwardError> {
    let mut refused = Vec::new();
    for address in addresses {
        let address = SocketAddr::new(*address, port);
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(stream) => return Ok(stream),
            Err(error) => refused.push(format!("{address}: {error}")),
        }
    }
    Err(PortForwardError::NobodyListens {
        port,
        refused: refused.join(", "),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn the_first_address_at_which_somebody_listens_counts() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let addresses = [IpAddr::V6(Ipv6Addr::LOCALHOST), Ipv4Addr::LOCALHOST.into()];
        let stream = dial(&addresses, port).unwrap();
        assert_eq!(stream.peer_addr().unwrap().port(), port);
        drop(listener);
        let error = dial(&addresses, port).unwrap_err().to_string();
        assert!(
            error.contains(&format!("nobody listens at port {port}")),
            "{error}"
        );
        assert!(
            error.contains("[::1]") && error.contains("127.0.0.1"),
            "{error}"
        );
    }
}
