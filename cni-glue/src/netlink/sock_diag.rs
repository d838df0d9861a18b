//! Who listens on which port, over sock_diag(7).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use nix::errno::Errno;
use nix::sys::socket::SockProtocol;

use super::message::{Batch, Message, NLM_F_DUMP, attribute, u32_at};
use super::socket::{Refused, Socket};
use crate::ports::Protocol;

const SOCK_DIAG_BY_FAMILY: u16 = 20;
const TCP_CLOSE: u32 = 7;
const TCP_LISTEN: u32 = 10;
const INET_DIAG_SKV6ONLY: u16 = 11;
/// `struct inet_diag_msg`.
const INET_DIAG_MSG: usize = 72;

/// A socket that would take what arrives at a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listener {
    /// Where it listens.
    pub address: IpAddr,
    /// At which port.
    pub port: u16,
    /// Whether it listens at all addresses of both families.
    pub both_families: bool,
    /// By which `/proc/PID/fd` knows it.
    pub inode: u32,
}

impl Listener {
    fn parse(message: &Message<'_>) -> Option<Self> {
        if message.kind != SOCK_DIAG_BY_FAMILY {
            return None;
        }
        let bytes = message.payload;
        let port = u16::from_be_bytes(bytes.get(4..6)?.try_into().ok()?);
        let address = if *bytes.first()? == 2 {
            IpAddr::from(<[u8; 4]>::try_from(bytes.get(8..12)?).ok()?)
        } else {
            IpAddr::from(<[u8; 16]>::try_from(bytes.get(8..24)?).ok()?)
        };
        let only = attribute(bytes.get(INET_DIAG_MSG..)?, INET_DIAG_SKV6ONLY);
        let both_families = address == IpAddr::V6(Ipv6Addr::UNSPECIFIED) && only != Some(&[1]);
        Some(Self {
            address,
            port,
            both_families,
            inode: u32_at(bytes, 68)?,
        })
    }

    /// Whether it takes what arrives at `address`; `None` is any address of any family.
    pub(crate) fn answers_at(&self, address: Option<IpAddr>) -> bool {
        let Some(address) = address else {
            return true;
        };
        let any =
            |ip| ip == IpAddr::V4(Ipv4Addr::UNSPECIFIED) || ip == IpAddr::V6(Ipv6Addr::UNSPECIFIED);
        self.both_families
            || (self.address.is_ipv4() == address.is_ipv4()
                && (self.address == address || any(self.address) || any(address)))
    }
}

/// All listeners of a protocol in the calling thread's network namespace. A kernel that can't tell says `ENOENT`.
pub(crate) fn listeners(protocol: Protocol) -> Result<Vec<Listener>, Refused> {
    // What UDP calls a socket that waits for anybody: one that isn't connected.
    let state = match protocol {
        Protocol::Udp => TCP_CLOSE,
        Protocol::Tcp | Protocol::Sctp => TCP_LISTEN,
    };
    let mut socket = Socket::open(SockProtocol::NetlinkSockDiag)?;
    let mut listeners = Vec::new();
    for family in [2u8, 10] {
        let mut batch = Batch::default();
        let mut header = vec![family, protocol.number(), 0, 0];
        header.extend((1u32 << state).to_ne_bytes());
        header.extend([0; 48]); // any socket
        batch.push(SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, &header, |_| ());
        match socket.collect(&batch, Listener::parse) {
            // A kernel without IPv6.
            Err(refused) if family == 10 && refused.errno == Errno::ENOENT => (),
            found => listeners.extend(found?),
        }
    }
    Ok(listeners)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_is_found_with_its_address() {
        let tcp = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let udp = std::net::UdpSocket::bind("[::]:0").unwrap();
        let at = tcp.local_addr().unwrap();
        let found = listeners(Protocol::Tcp).unwrap();
        let found = found.iter().find(|l| l.port == at.port()).unwrap();
        assert_eq!(found.address, at.ip());
        assert!(found.answers_at(None));
        assert!(found.answers_at(Some(at.ip())));
        assert!(found.answers_at(Some("0.0.0.0".parse().unwrap())));
        assert!(!found.answers_at(Some("::".parse().unwrap())));
        assert!(!found.answers_at(Some("127.0.0.2".parse().unwrap())));
        let port = udp.local_addr().unwrap().port();
        let found = listeners(Protocol::Udp).unwrap();
        let found = found.iter().find(|l| l.port == port).unwrap();
        assert!(found.both_families);
        assert!(found.answers_at(Some("127.0.0.2".parse().unwrap())));
    }
}
