//! A pod and all of its networks: put in, looked at, taken out; and what dead pods left, cleared.

mod attacher;
mod damaged;
mod forgotten;
mod free_ports;
mod gc;
mod interrupted;
mod namespace_mount;
mod peers;

pub use attacher::{AttachRequest, Attached, Attacher, IsLive};
pub use gc::GcReport;
pub use peers::Peers;
