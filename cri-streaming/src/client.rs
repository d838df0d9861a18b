//! Clients of the protocols, for tests: they speak as `kubectl` and `crictl` do, and say whatever
//! else a test wants.

mod handshake;
mod remote_command;

pub use self::handshake::{ClientError, Trust, upgrade};
pub use self::remote_command::{Outcome, RemoteCommand};
