//! SPDY/3.1, as far as Kubernetes' clients speak it: bytes go in and events come out, actions go in
//! and bytes come out.
//!
//! Windows of flow control are neither kept nor given: those clients ignore them too, so what holds
//! a sender back is TCP, when this side doesn't read.

mod connection;
mod dictionary;
mod error;
mod frame;
mod header_block;

pub use self::connection::{Connection, Event, Limits, Role};
pub use self::error::Violation;
pub use self::frame::{ResetReason, StreamId};
pub use self::header_block::Headers;
