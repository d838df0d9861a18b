//! Pods' networks, with real namespaces, links and packets. Each test has a host of its own, a network namespace, and
//! touches nothing of the machine's network.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed: a panic with a message is its result"
)]

mod bandwidth;
mod chains;
mod damaged;
mod debian_plugins;
mod default;
mod exclusive;
mod full;
mod lab;
mod many;
mod namespace_mounts;
mod orchestrators;
mod other;
mod port_owners;
mod ports;
mod pretence;
mod recording;
mod traffic;
mod two_fairings;
