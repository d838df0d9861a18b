//! The loopback link, over rtnetlink(7).

use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recv, sendto, socket,
};

use crate::error::NetworkError;

/// The loopback is the first link of every namespace.
const LOOPBACK_INDEX: i32 = 1;

const RTM_NEWLINK: u16 = 16;
const NLMSG_ERROR: u16 = 2;
const NLM_F_REQUEST: u16 = 1;
const NLM_F_ACK: u16 = 4;
const IFF_UP: u32 = 1;
/// `struct nlmsghdr` and `struct ifinfomsg`.
const REQUEST_LENGTH: u32 = 16 + 16;

/// Brings the loopback of the calling thread's namespace up, with the addresses that the kernel gives it.
pub(crate) fn up() -> Result<(), NetworkError> {
    exchange(&request()).map_err(NetworkError::at("bring the loopback up"))
}

fn request() -> Vec<u8> {
    let mut bytes = Vec::with_capacity(REQUEST_LENGTH as usize);
    bytes.extend(REQUEST_LENGTH.to_ne_bytes());
    bytes.extend(RTM_NEWLINK.to_ne_bytes());
    bytes.extend((NLM_F_REQUEST | NLM_F_ACK).to_ne_bytes());
    bytes.extend([0; 4]); // sequence number: there is but one message
    bytes.extend([0; 4]); // port: the kernel fills it in
    bytes.extend([0; 4]); // address family, padding, link type
    bytes.extend(LOOPBACK_INDEX.to_ne_bytes());
    bytes.extend(IFF_UP.to_ne_bytes()); // flags
    bytes.extend(IFF_UP.to_ne_bytes()); // which of the flags to change
    bytes
}

fn exchange(request: &[u8]) -> Result<(), Errno> {
    let socket = socket(
        AddressFamily::Netlink,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::NetlinkRoute,
    )?;
    let kernel = NetlinkAddr::new(0, 0);
    sendto(socket.as_raw_fd(), request, &kernel, MsgFlags::empty())?;
    let mut answer = [0; 256];
    let length = recv(socket.as_raw_fd(), &mut answer, MsgFlags::empty())?;
    acknowledged(answer.get(..length).unwrap_or_default())
}

/// The error that an acknowledgement carries: the negative of an errno, after the message's header.
fn acknowledged(answer: &[u8]) -> Result<(), Errno> {
    let kind = answer
        .get(4..6)
        .and_then(|bytes| bytes.try_into().ok())
        .map(u16::from_ne_bytes);
    let code = answer
        .get(16..20)
        .and_then(|bytes| bytes.try_into().ok())
        .map(i32::from_ne_bytes);
    match (kind, code) {
        (Some(NLMSG_ERROR), Some(0)) => Ok(()),
        (Some(NLMSG_ERROR), Some(code)) => Err(Errno::from_raw(code.saturating_neg())),
        _ => Err(Errno::EBADMSG),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_understood() {
        let answer = |kind: u16, code: i32| {
            let mut bytes = vec![0; 4];
            bytes.extend(kind.to_ne_bytes());
            bytes.extend([0; 10]);
            bytes.extend(code.to_ne_bytes());
            bytes
        };
        assert_eq!(acknowledged(&answer(NLMSG_ERROR, 0)), Ok(()));
        assert_eq!(acknowledged(&answer(NLMSG_ERROR, -1)), Err(Errno::EPERM));
        assert_eq!(acknowledged(&answer(3, 0)), Err(Errno::EBADMSG));
        assert_eq!(acknowledged(&[]), Err(Errno::EBADMSG));
        assert_eq!(request().len(), REQUEST_LENGTH as usize);
    }
}
