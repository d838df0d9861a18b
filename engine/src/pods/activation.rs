//! Socket activation: what a service manager hands over goes to the pod's apps.

use std::net::{Ipv6Addr, SocketAddr, TcpListener};
use std::os::fd::AsFd;

use cni_glue::ports::{PortMapping, Protocol};
use nix::libc;
use pod::AppName;
use pod::activation::{ActivationSocket, ActivationSockets, app_of};
use pod::feature::Feature;
use pod::manifest::PodManifest;
use pod::stage1::Stage1;

use crate::error::{Error, NetworkSpecError};
use crate::observer::{Detail, Observer};
use crate::sys;

/// Makes sure that the pod can get these sockets.
///
/// # Errors
/// If its isolator can't hand them over, or one of them has a port that is published too.
pub(super) fn check(
    sockets: &ActivationSockets,
    manifest: &PodManifest,
    stage1: &Stage1,
    observer: &dyn Observer,
) -> Result<(), Error> {
    if sockets.is_empty() {
        return Ok(());
    }
    stage1.require(&[Feature::SocketActivation].into())?;
    let apps: Vec<&AppName> = manifest.apps.iter().map(|app| &app.name).collect();
    for socket in sockets.iter() {
        let app = apps.get(app_of(&socket.name, &apps));
        observer.detail(&Detail::Socket {
            socket: socket.name.as_str(),
            app: app.map_or("", |app| app.as_str()),
        });
    }
    if manifest.ports.is_empty() {
        return Ok(());
    }
    for socket in sockets.iter() {
        let Some(taken) = port_of(socket) else {
            continue;
        };
        if let Some(published) = manifest.ports.iter().find(|port| port.overlaps(&taken)) {
            return Err(Error::NetworkSpec(NetworkSpecError::HandedOver {
                published: published.clone(),
                socket: socket.name.clone(),
                taken,
            }));
        }
    }
    Ok(())
}

/// The host's port at which something arrives for this socket.
fn port_of(socket: &ActivationSocket) -> Option<PortMapping> {
    let option = |level, name| sys::socket_option(&socket.fd, level, name).ok();
    let protocol = match option(libc::SOL_SOCKET, libc::SO_PROTOCOL)? {
        6 => Protocol::Tcp,
        17 => Protocol::Udp,
        132 => Protocol::Sctp,
        _ => return None,
    };
    // A connection has the port of the socket that it was accepted from.
    let waits = protocol == Protocol::Udp
        || option(libc::SOL_SOCKET, libc::SO_ACCEPTCONN).is_some_and(|waits| waits != 0);
    if !waits || !is_of_this_network(socket) {
        return None;
    }
    // The kernel tells the address of any socket so.
    let address = TcpListener::from(socket.fd.try_clone().ok()?)
        .local_addr()
        .ok()?;
    let only_own_family = || option(libc::IPPROTO_IPV6, libc::IPV6_V6ONLY) != Some(0);
    Some(PortMapping {
        host_ip: match address {
            SocketAddr::V6(v6) if *v6.ip() == Ipv6Addr::UNSPECIFIED && !only_own_family() => None,
            address => Some(address.ip()),
        },
        host_port: address.port(),
        container_port: address.port(),
        count: 1,
        protocol,
    })
}

/// Whether the socket is in this process's network namespace: ports of another are no concern of `--port`.
fn is_of_this_network(socket: &ActivationSocket) -> bool {
    let network = |fd: std::os::fd::BorrowedFd<'_>| {
        sys::socket_option(fd, libc::SOL_SOCKET, libc::SO_NETNS_COOKIE).ok()
    };
    let own = std::os::unix::net::UnixDatagram::unbound();
    own.is_ok_and(|own| network(own.as_fd()) == network(socket.fd.as_fd()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpStream, UdpSocket};
    use std::os::fd::OwnedFd;

    fn port(fd: impl Into<OwnedFd>) -> Option<String> {
        let socket = ActivationSocket {
            name: String::from("web").try_into().unwrap(),
            fd: fd.into(),
        };
        port_of(&socket).map(|port| port.host_side())
    }

    #[test]
    fn sockets_that_wait_for_others_have_a_port() {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let number = tcp.local_addr().unwrap().port();
        let connection = TcpStream::connect(tcp.local_addr().unwrap()).unwrap();
        let (accepted, _) = tcp.accept().unwrap();
        assert_eq!(port(connection), None);
        assert_eq!(port(accepted), None);
        assert_eq!(port(tcp).unwrap(), format!("127.0.0.1:{number}/tcp"));
        let udp = UdpSocket::bind("0.0.0.0:0").unwrap();
        let number = udp.local_addr().unwrap().port();
        assert_eq!(port(udp).unwrap(), format!("0.0.0.0:{number}/udp"));
        let both = TcpListener::bind("[::]:0").unwrap();
        let number = both.local_addr().unwrap().port();
        assert_eq!(port(both).unwrap(), format!("{number}/tcp"));
    }

    #[test]
    fn what_is_no_socket_of_the_internet_has_none() {
        assert_eq!(port(tempfile::tempfile().unwrap()), None);
        let (one, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        assert_eq!(port(one), None);
    }
}
