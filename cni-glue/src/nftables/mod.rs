//! nftables over nfnetlink: transactions, of which all or nothing takes effect.
//!
//! Everything is in one table, `inet fairing`. Its rules never change; what networks and pods add are elements of its
//! sets and maps, each with its owner as its comment: a network, or `POD/INTERFACE`. So a pod goes in one transaction,
//! and `gc` can tell what belongs to whom.

mod comment;
pub(crate) mod elements;
mod expression;
mod hook;
mod ruleset;
mod transaction;

pub(crate) use ruleset::{
    PORTS_V4_ANY, PORTS_V4_AT, PORTS_V6_ANY, PORTS_V6_AT, RESTRICTED, ROUTED_V4, ROUTED_V6,
    SUBNETS_V4, SUBNETS_V6, TABLE, VERSION, WITHIN_V4, WITHIN_V6, create,
};
pub(crate) use transaction::{Nftables, Transaction};
