//! Ports of the host that nobody named: for `--publish-all`, and for a port of the pod alone.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};

use cni_glue::ports::{PortMapping, Protocol};
use image_store::Image;

use super::image_ports::parse_port;
use crate::error::Error;

/// The ports that images expose and that no mapping leads to yet, with 0 as the host's.
pub(super) fn of_images(images: &[&Image], mapped: &[PortMapping]) -> Vec<PortMapping> {
    let configs = images
        .iter()
        .filter_map(|image| image.config().config().as_ref());
    let exposed = configs.flat_map(|config| config.exposed_ports().iter().flatten());
    of_texts(exposed.map(String::as_str), mapped)
}

fn of_texts<'a>(
    exposed: impl Iterator<Item = &'a str>,
    mapped: &[PortMapping],
) -> Vec<PortMapping> {
    let mut wanted: Vec<PortMapping> = Vec::new();
    // What is no port is nobody's mistake here: other runtimes start such images.
    for (port, protocol) in exposed.filter_map(parse_port) {
        let leads_there = |mapping: &PortMapping| {
            mapping.protocol == protocol
                && port
                    .checked_sub(mapping.container_port)
                    .is_some_and(|distance| distance < mapping.count)
        };
        if !mapped.iter().chain(&wanted).any(leads_there) {
            wanted.push(PortMapping {
                host_ip: None,
                host_port: 0,
                container_port: port,
                count: 1,
                protocol,
            });
        }
    }
    wanted
}

/// Gives each mapping without a port of the host one that is free.
///
/// # Errors
/// If none is.
pub(super) fn assign(mappings: &mut [PortMapping]) -> Result<(), Error> {
    // Held until all have one: none is chosen twice.
    let mut held = Vec::new();
    for mapping in mappings.iter_mut().filter(|mapping| mapping.host_port == 0) {
        let ip = mapping.host_ip.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let (port, socket) = free(ip, mapping.protocol)
            .map_err(Error::io("find a free port on", &ip.to_string()))?;
        mapping.host_port = port;
        held.push(socket);
    }
    Ok(())
}

/// What keeps a port from others.
enum Held {
    Tcp(TcpListener),
    Udp(UdpSocket),
}

fn free(ip: IpAddr, protocol: Protocol) -> std::io::Result<(u16, Held)> {
    let any = SocketAddr::new(ip, 0);
    let held = match protocol {
        Protocol::Udp => Held::Udp(UdpSocket::bind(any)?),
        // What is free for TCP is hardly taken for SCTP.
        Protocol::Tcp | Protocol::Sctp => Held::Tcp(TcpListener::bind(any)?),
    };
    let address = match &held {
        Held::Tcp(socket) => socket.local_addr()?,
        Held::Udp(socket) => socket.local_addr()?,
    };
    Ok((address.port(), held))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping(host_port: u16, container_port: u16, protocol: Protocol) -> PortMapping {
        PortMapping {
            host_ip: None,
            host_port,
            container_port,
            count: 1,
            protocol,
        }
    }

    #[test]
    fn each_exposed_port_that_is_not_mapped_is_wanted_once() {
        let exposed = ["80", "80/tcp", "443/tcp", "53/udp", "x", "0", "70000/tcp"];
        let mapped = [mapping(8443, 443, Protocol::Tcp)];
        assert_eq!(
            of_texts(exposed.into_iter(), &mapped),
            [mapping(0, 80, Protocol::Tcp), mapping(0, 53, Protocol::Udp)]
        );
    }

    #[test]
    fn free_ports_differ_and_those_that_are_named_stay() {
        let mut mappings = [
            mapping(0, 80, Protocol::Tcp),
            mapping(7, 81, Protocol::Tcp),
            mapping(0, 82, Protocol::Tcp),
        ];
        assign(&mut mappings).unwrap();
        let [first, named, second] = mappings;
        assert_eq!(named.host_port, 7);
        assert!(first.host_port > 0 && second.host_port > 0);
        assert_ne!(first.host_port, second.host_port);
    }
}
