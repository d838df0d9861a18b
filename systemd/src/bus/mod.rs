//! D-Bus, as far as systemd is asked for scopes by it: one connection, one call, no library.
//!
//! systemd, process 1, listens at a socket of its own for root alone; the bus of the system leads to it just as well, but is
//! not there early, and not everywhere. What comes from it is read within bounds of size and time all the same.

mod connection;
mod message;
mod scope;

pub use self::connection::BusError;
pub use self::scope::{ScopeError, ScopeRequest, make_scope};

#[cfg(test)]
mod tests;
