//! How a server is set up.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::tls::Tls;

/// Where a server listens, and how.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where. A port of 0 is any that is free. By default a free port of loopback: who may reach it
    /// may use up its connections, though not guess a token.
    pub address: SocketAddr,
    /// What URLs begin with, if that isn't the address: `https://node.example:10010`.
    pub base_url: Option<String>,
    /// What connections are encrypted with.
    pub tls: Option<Tls>,
    /// What clients may use up.
    pub limits: Limits,
}

/// What clients may use up.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections at once. Further ones are answered with 503.
    pub connections: usize,
    /// Connections that haven't shown a token. The oldest gives way to a further one.
    pub unidentified: usize,
    /// Connections to ports of pods at once.
    pub forwarded: usize,
    /// From a connection to the end of its request's head.
    pub head: Duration,
    /// From the upgrade until all streams are there.
    pub creation: Duration,
    /// For a port that takes nothing of the MiB that waits, so that other ports of its client get
    /// nothing either.
    pub stalled: Duration,
    /// Without a byte in either direction.
    pub idle: Duration,
}

impl Default for Config {
    fn default() -> Self {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self {
            address,
            base_url: None,
            tls: None,
            limits: Limits::default(),
        }
    }
}

impl Default for Limits {
    /// As Kubernetes' own server has the times.
    fn default() -> Self {
        Self {
            connections: 512,
            unidentified: 64,
            forwarded: 1024,
            head: Duration::from_secs(30),
            creation: Duration::from_secs(30),
            stalled: Duration::from_secs(30),
            idle: Duration::from_secs(4 * 60 * 60),
        }
    }
}
