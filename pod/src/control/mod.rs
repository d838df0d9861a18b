//! The control protocol: what the CLI and the CRI shim ask of a running pod.
//!
//! Each message is one [`crate::seqpacket`] message on the Unix socket [`SOCKET_FILE`] in the pod's runtime directory.
//! The monitor answers each [`Request`] with one [`Response`], in the order of the requests of a connection, except that
//!
//! - a command or an attachment that was begun is followed by [`Response::ExecExited`] or [`Response::AppEnded`];
//! - [`Request::Events`] is answered with [`Response::Done`], and then by one [`Response::Event`] for each thing that
//!   happens;
//! - [`Request::Resize`] is not answered.
//!
//! A connection waits for one thing at a time: another request that takes time is refused meanwhile. Which numbers
//! bound all this is in [`bounds`]. A client that doesn't read what it is sent is dropped, and so is one that sends
//! what is not a request, after it has been told so.
//!
//! The protocol grows by new requests and by new members with a default: a command of a later release asks a monitor
//! of an earlier one for its status, and for the pod's end, as that one knows it.

pub mod bounds;
mod event;
mod network_use;
mod request;
mod response;
mod stats;
mod status;

pub use self::event::{Event, EventKind, HealthCheck};
pub use self::network_use::{InterfaceUse, NetworkUse, Traffic};
pub use self::request::{
    AddApp, AttachRequest, CommandUser, CopyRequest, ExecRequest, FileCopy, Request, SentFiles,
    StartApp, WindowSize,
};
pub use self::response::Response;
pub use self::stats::{
    AppStats, BlockIoStats, CpuStats, MemoryStats, PidsStats, PodStats, Pressure, StallTimes,
    Stalls, Usage,
};
pub use self::status::{AppState, LastEnd, LiveApp, LiveStatus};

/// The socket's name in the pod's runtime directory.
pub const SOCKET_FILE: &str = "control";

#[cfg(test)]
mod tests;
