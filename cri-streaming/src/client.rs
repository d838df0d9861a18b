//! Clients of the protocols, for tests: they speak as `kubectl` and `crictl` do, and say whatever
//! else a test wants.

mod handshake;
mod port_forward;
mod remote_command;

pub use self::handshake::{Certificate, ClientError, Trust, Upgraded, upgrade};
pub use self::port_forward::{PairNumber, PortForward};
pub use self::remote_command::{Outcome, RemoteCommand};
