//! Serves exec, attach and port-forward to kubelets and `crictl`, as the Container Runtime
//! Interface leaves it to a server beside gRPC: the RPC answers with a URL, and the client comes
//! there with SPDY/3.1 or WebSocket.
//!
//! - [`server`]: [`Server`] gives URLs and serves them, on plain threads. What it serves is the
//!   caller's [`Streams`].
//! - [`token`]: what makes URLs good for one use.
//! - [`http`], [`spdy`], [`websocket`]: the protocols, without any socket: bytes in, events out.
//! - [`remote_command`], [`port_forward`]: what is said in them.

#[cfg(any(test, feature = "client"))]
pub mod client;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
pub mod http;
mod link;
mod outlet;
pub mod port_forward;
mod process;
pub mod remote_command;
pub mod server;
pub mod spdy;
mod streams;
mod sys;
mod times;
pub mod token;
mod transport;
mod violation;
pub mod websocket;

#[cfg(test)]
mod tests;

pub use self::process::{
    Ended, Process, ProcessControl, ProcessStreams, TerminalSize, Wanted, WantedError,
};
pub use self::server::{Config, Limits, Server, StartError, Tls, TlsError, TlsFiles};
pub use self::streams::{Failure, Streams};
pub use self::token::TokenError;
