//! Pods' networks, with real namespaces, links and packets. Each test has a host of its own, a network namespace, and
//! touches nothing of the machine's network.

mod chains;
mod debian_plugins;
mod default;

mod lab;
mod many;
mod other;
mod ports;
mod traffic;
