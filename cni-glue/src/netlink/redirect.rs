//! Passing on all that comes in by a link, to leave by another (tc-mirred(8)).

use super::message::{Attributes, Batch, NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL};

const RTM_NEWQDISC: u16 = 36;
const RTM_NEWTFILTER: u16 = 44;

const TCA_KIND: u16 = 1;
const TCA_OPTIONS: u16 = 2;
const TCA_U32_SEL: u16 = 5;
const TCA_U32_ACT: u16 = 7;
const TCA_ACT_KIND: u16 = 1;
const TCA_ACT_OPTIONS: u16 = 2;
const TCA_MIRRED_PARMS: u16 = 2;

/// The place where packets come in, and the number of what is put there.
const TC_H_INGRESS: u32 = 0xffff_fff1;
const HANDLE: u32 = 0xffff_0000;
/// The first of all filters, for all protocols: `ETH_P_ALL` in the network's byte order.
const FIRST_FOR_ALL: u32 = 1 << 16 | (3_u16.to_be() as u32);
const TC_U32_TERMINAL: u8 = 1;
const TC_ACT_STOLEN: u32 = 4;
const TCA_EGRESS_REDIR: u32 = 1;

/// Lets all that comes in by the link `from` leave by the link `to`, and nothing of it be seen otherwise.
pub(crate) fn add(batch: &mut Batch, from: u32, to: u32) {
    let flags = NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
    let ingress = header(from, HANDLE, TC_H_INGRESS, 0);
    batch.push(RTM_NEWQDISC, flags, &ingress, |a| {
        a.text(TCA_KIND, "ingress");
    });
    let filter = header(from, 0, HANDLE, FIRST_FOR_ALL);
    batch.push(RTM_NEWTFILTER, flags, &filter, |a| {
        a.text(TCA_KIND, "u32").nested(TCA_OPTIONS, |options| {
            options
                .put(TCA_U32_SEL, &everything())
                .nested(TCA_U32_ACT, |actions| {
                    actions.nested(1, |action| mirror(action, to));
                });
        });
    });
}

fn mirror(action: &mut Attributes<'_>, to: u32) {
    // `struct tc_mirred`: a number that the kernel gives, two that it counts, and what is done.
    let parameters = [0, 0, TC_ACT_STOLEN, 0, 0, TCA_EGRESS_REDIR, to];
    let parameters: Vec<u8> = parameters.iter().flat_map(|n| n.to_ne_bytes()).collect();
    action
        .text(TCA_ACT_KIND, "mirred")
        .nested(TCA_ACT_OPTIONS, |options| {
            options.put(TCA_MIRRED_PARMS, &parameters);
        });
}

/// `struct tc_u32_sel` with one key, whose mask lets every value be equal.
fn everything() -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[0] = TC_U32_TERMINAL;
    // Keys.
    bytes[2] = 1;
    bytes
}

/// `struct tcmsg`.
fn header(index: u32, handle: u32, parent: u32, info: u32) -> Vec<u8> {
    let numbers = [0, index, handle, parent, info];
    numbers.iter().flat_map(|n| n.to_ne_bytes()).collect()
}
