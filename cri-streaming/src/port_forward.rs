//! Port-forward: `portforward.k8s.io` over SPDY, also within WebSocket (KEP-4006), and channels of
//! WebSocket.

mod channel_pairs;
mod connector;
#[cfg(any(test, feature = "fuzzing"))]
mod fuzz;
mod pair;
mod pairs;
mod session;
mod spdy_pairs;
mod target;
mod tunnel;

/// What is spoken over SPDY.
pub const SPDY_PROTOCOLS: [&str; 1] = ["portforward.k8s.io"];

/// What is spoken over WebSocket. Clients that name nothing speak the fourth version of channels.
pub const WEBSOCKET_PROTOCOLS: [&str; 5] = [
    "",
    "v4.channel.k8s.io",
    "v4.base64.channel.k8s.io",
    "SPDY/3.1+portforward.k8s.io",
    "v2.portforward.k8s.io",
];

pub(crate) use self::connector::{Connect, Permits};
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use self::fuzz::fuzz;
pub(crate) use self::pairs::Pairs;
pub(crate) use self::session::serve;
