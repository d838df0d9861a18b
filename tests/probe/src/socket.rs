//! Which kinds of sockets can be made.

use crate::attempt::shown;
use crate::sys::{call, in_child};

/// Family, type and protocol.
const SOCKETS: &[(&str, i32, i32, i32)] = &[
    (
        "alg (kernel cryptography)",
        libc::AF_ALG,
        libc::SOCK_SEQPACKET,
        0,
    ),
    ("inet datagram", libc::AF_INET, libc::SOCK_DGRAM, 0),
    (
        "inet echo",
        libc::AF_INET,
        libc::SOCK_DGRAM,
        libc::IPPROTO_ICMP,
    ),
    (
        "inet raw icmp",
        libc::AF_INET,
        libc::SOCK_RAW,
        libc::IPPROTO_ICMP,
    ),
    ("inet stream", libc::AF_INET, libc::SOCK_STREAM, 0),
    ("inet6 stream", libc::AF_INET6, libc::SOCK_STREAM, 0),
    (
        "netlink audit",
        libc::AF_NETLINK,
        libc::SOCK_RAW,
        libc::NETLINK_AUDIT,
    ),
    (
        "netlink netfilter",
        libc::AF_NETLINK,
        libc::SOCK_RAW,
        libc::NETLINK_NETFILTER,
    ),
    (
        "netlink route",
        libc::AF_NETLINK,
        libc::SOCK_RAW,
        libc::NETLINK_ROUTE,
    ),
    ("packet", libc::AF_PACKET, libc::SOCK_RAW, 0),
    ("unix stream", libc::AF_UNIX, libc::SOCK_STREAM, 0),
    ("vsock", libc::AF_VSOCK, libc::SOCK_STREAM, 0),
    ("xdp", libc::AF_XDP, libc::SOCK_RAW, 0),
];

pub(crate) fn sockets() -> Vec<String> {
    SOCKETS
        .iter()
        .map(|(name, family, kind, protocol)| {
            let arguments = [
                i64::from(*family),
                (*kind).into(),
                (*protocol).into(),
                0,
                0,
                0,
            ];
            let outcome = in_child(|| call(libc::SYS_socket, arguments));
            format!("{name} = {}", shown(&outcome))
        })
        .collect()
}
