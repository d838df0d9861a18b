//! Forgetting of connections, over ctnetlink: without it a client whose datagrams found the port closed, or went to a
//! pod that is gone, goes on being sent the old way.

use nix::errno::Errno;
use nix::sys::socket::SockProtocol;

use super::message::{Batch, NLM_F_ACK};
use super::socket::{Refused, Socket};

const IPCTNL_MSG_CT_DELETE: u16 = (1 << 8) | 2;
const CTA_TUPLE_ORIG: u16 = 1;
const CTA_TUPLE_PROTO: u16 = 2;
const CTA_PROTO_NUM: u16 = 1;
const CTA_PROTO_DST_PORT: u16 = 3;
const CTA_FILTER: u16 = 25;
const CTA_FILTER_ORIG_FLAGS: u16 = 1;
/// Of a tuple, the protocol's number and the port of destination count.
const PROTOCOL_AND_PORT: u32 = (1 << 3) | (1 << 5);
const IPPROTO_UDP: u8 = 17;

/// Forgets the UDP exchanges that began with a datagram to one of `ports`. A kernel that can't filter, or tracks
/// nothing, leaves things as they are.
pub(crate) fn forget_udp(ports: &[u16]) -> Result<(), Refused> {
    if ports.is_empty() {
        return Ok(());
    }
    let mut socket = Socket::open(SockProtocol::NetlinkNetFilter)?;
    let mut batch = Batch::default();
    for port in ports {
        for family in [2u8, 10] {
            batch.push(IPCTNL_MSG_CT_DELETE, NLM_F_ACK, &[family, 0, 0, 0], |a| {
                a.nested(CTA_TUPLE_ORIG, |tuple| {
                    tuple.nested(CTA_TUPLE_PROTO, |protocol| {
                        protocol
                            .byte(CTA_PROTO_NUM, IPPROTO_UDP)
                            .put(CTA_PROTO_DST_PORT, &port.to_be_bytes());
                    });
                })
                .nested(CTA_FILTER, |filter| {
                    filter.number(CTA_FILTER_ORIG_FLAGS, PROTOCOL_AND_PORT);
                });
            });
        }
    }
    for outcome in socket.exchange(&batch, |_| ())? {
        match outcome {
            Err(refused)
                if !matches!(
                    refused.errno,
                    Errno::ENOENT | Errno::EINVAL | Errno::EOPNOTSUPP
                ) =>
            {
                return Err(refused);
            }
            _ => (),
        }
    }
    Ok(())
}
