//! Links, addresses, routes, queues and sockets, over rtnetlink(7) and sock_diag(7): synchronous, and in as few messages as
//! possible.

pub(crate) mod address;
pub(crate) mod conntrack;
pub(crate) mod link;
pub(crate) mod message;
pub(crate) mod qdisc;
pub(crate) mod redirect;
pub(crate) mod route;
pub(crate) mod rtnetlink;
pub(crate) mod sock_diag;
pub(crate) mod socket;
