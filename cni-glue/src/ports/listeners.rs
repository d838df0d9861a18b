//! Programs of the host that listen where a pod wants to be reached, and keeping others from doing so later.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, ipproto, socket_with, sockopt};

use super::error::PortError;
use super::mapping::{PortMapping, Protocol};
use crate::netlink::sock_diag;

/// More ports than these are looked at but not held: each takes a descriptor.
const MOST_HELD: usize = 128;

/// Sockets that hold ports of the host, so that no program can listen there while the pod does. Nothing ever
/// arrives at them.
#[derive(Debug, Default)]
pub struct HeldPorts(#[allow(dead_code)] Vec<OwnedFd>); // held, not read

/// Makes sure that nobody listens at the host's side of these mappings, and holds them.
///
/// # Errors
/// [`PortError::Listening`] names the program that does, [`PortError::NotLocal`] an address that the host
/// hasn't.
pub(crate) fn hold(mappings: &[PortMapping]) -> Result<HeldPorts, PortError> {
    let count: usize = mappings.iter().map(|m| usize::from(m.count)).sum();
    let mut held = Vec::new();
    for mapping in mappings {
        if count > MOST_HELD {
            look(mapping)?;
            continue;
        }
        for (port, _) in mapping.pairs() {
            match bound(mapping, port) {
                Ok(socket) => held.push(socket),
                Err(Errno::ADDRINUSE) => look(&PortMapping {
                    host_port: port,
                    count: 1,
                    ..mapping.clone()
                })?,
                Err(Errno::ADDRNOTAVAIL) => {
                    return Err(PortError::NotLocal {
                        port: mapping.host_side(),
                        address: mapping.host_ip.unwrap_or(Ipv4Addr::UNSPECIFIED.into()),
                    });
                }
                // A kernel without SCTP or IPv6 has nobody who listens there.
                Err(Errno::PROTONOSUPPORT | Errno::AFNOSUPPORT | Errno::SOCKTNOSUPPORT) => (),
                Err(source) => {
                    return Err(PortError::Look {
                        port: mapping.host_side(),
                        source,
                    });
                }
            }
        }
    }
    Ok(HeldPorts(held))
}

/// A socket that has the port and does nothing with it.
fn bound(mapping: &PortMapping, port: u16) -> Result<OwnedFd, Errno> {
    match bound_how(mapping, port, false) {
        // Connections that have ended may have it for a while yet. With them it can only be shared, which others
        // can do too; who listens refuses that as well.
        Err(Errno::ADDRINUSE) if mapping.protocol != Protocol::Udp => {
            bound_how(mapping, port, true)
        }
        answer => answer,
    }
}

fn bound_how(mapping: &PortMapping, port: u16, share: bool) -> Result<OwnedFd, Errno> {
    let at = |address, both| bound_at(address, both, share, mapping.protocol, port);
    match mapping.host_ip {
        Some(address) => at(address, false),
        // One socket for both families, where there is IPv6.
        None => match at(Ipv6Addr::UNSPECIFIED.into(), true) {
            Err(Errno::AFNOSUPPORT | Errno::ADDRNOTAVAIL) => {
                at(Ipv4Addr::UNSPECIFIED.into(), false)
            }
            answer => answer,
        },
    }
}

fn bound_at(
    address: IpAddr,
    both_families: bool,
    share: bool,
    protocol: Protocol,
    port: u16,
) -> Result<OwnedFd, Errno> {
    let family = if address.is_ipv4() {
        AddressFamily::INET
    } else {
        AddressFamily::INET6
    };
    let (kind, protocol_number) = match protocol {
        Protocol::Tcp => (SocketType::STREAM, ipproto::TCP),
        Protocol::Udp => (SocketType::DGRAM, ipproto::UDP),
        Protocol::Sctp => (SocketType::STREAM, ipproto::SCTP),
    };
    let socket = socket_with(family, kind, SocketFlags::CLOEXEC, Some(protocol_number))?;
    if share {
        sockopt::set_socket_reuseaddr(&socket, true)?;
    }
    if address.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, !both_families)?;
    }
    bind(&socket, &SocketAddr::new(address, port))?;
    Ok(socket)
}

/// Looks whether somebody listens at one of these ports. A connection from such a port is no hindrance.
fn look(mapping: &PortMapping) -> Result<(), PortError> {
    let listeners = match sock_diag::listeners(mapping.protocol) {
        Ok(listeners) => listeners,
        // The kernel can't tell.
        Err(refused) if refused.errno == nix::errno::Errno::ENOENT => return Ok(()),
        Err(refused) => {
            return Err(PortError::Look {
                port: mapping.host_side(),
                source: Errno::from_raw_os_error(refused.errno as i32),
            });
        }
    };
    let found = listeners.iter().find(|listener| {
        mapping.pairs().any(|(port, _)| port == listener.port)
            && listener.answers_at(mapping.host_ip)
    });
    match found {
        None => Ok(()),
        Some(listener) => Err(PortError::Listening {
            port: mapping.host_side(),
            program: program_with(listener.inode),
        }),
    }
}

/// Who has the socket: `nginx (process 123)`.
fn program_with(inode: u32) -> String {
    let wanted = format!("socket:[{inode}]");
    let has_it = |process: &std::path::Path| {
        fs::read_dir(process.join("fd")).is_ok_and(|fds| {
            fds.flatten().any(|fd| {
                fs::read_link(fd.path()).is_ok_and(|target| target.as_os_str() == wanted.as_str())
            })
        })
    };
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    for process in processes {
        let name = process.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        if has_it(&process.path()) {
            let name = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            let name: String = name
                .trim_end()
                .chars()
                .filter(|c| !c.is_control())
                .collect();
            return format!("{name} (process {pid})");
        }
    }
    "a program that this user can't see".into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::PortSpec;
    use std::net::{TcpListener, TcpStream, UdpSocket};

    /// Ports of a namespace of its own, which nobody else uses.
    fn alone() {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
        let mut batch = crate::netlink::message::Batch::default();
        crate::netlink::link::set_up(&mut batch, 1);
        let mut rtnetlink = crate::netlink::rtnetlink::Rtnetlink::open().unwrap();
        rtnetlink.apply_all(&batch).unwrap();
    }

    fn mapping(text: &str) -> [PortMapping; 1] {
        [text.parse::<PortSpec>().unwrap().resolve(|_| None).unwrap()]
    }

    #[test]
    fn who_listens_is_named() {
        alone();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let error = hold(&mapping(&format!("{port}:80")))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(&format!("(process {})", std::process::id())),
            "{error}"
        );
        let other = mapping(&format!("127.0.0.2:{port}:80"));
        hold(&other).unwrap();
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = udp.local_addr().unwrap().port();
        let error = hold(&mapping(&format!("{port}:80/udp"))).unwrap_err();
        assert!(matches!(error, PortError::Listening { .. }), "{error}");
        hold(&mapping(&format!("{port}:80/sctp"))).unwrap();
    }

    #[test]
    fn a_held_port_is_nobody_elses() {
        alone();
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let held = hold(&mapping(&format!("{port}:80"))).unwrap();
        let error = TcpListener::bind(("127.0.0.1", port)).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
        drop(held);
        assert!(TcpListener::bind(("127.0.0.1", port)).is_ok());
    }

    #[test]
    fn a_connection_that_happens_to_have_the_port_is_no_hindrance() {
        alone();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let connection = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let port = connection.local_addr().unwrap().port();
        hold(&mapping(&format!("{port}:80"))).unwrap();
    }

    #[test]
    fn an_address_of_another_host_is_refused() {
        alone();
        let error = hold(&mapping("192.0.2.77:1080:80")).unwrap_err();
        assert!(matches!(error, PortError::NotLocal { .. }), "{error}");
    }
}
