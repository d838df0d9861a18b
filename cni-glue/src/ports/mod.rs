//! Ports of the host that lead to a pod: what the user writes, who has which, and who listens there already.

mod error;
mod listeners;
mod mapping;
mod owner;
mod reservation;
mod spec;

pub use error::PortError;
pub use listeners::HeldPorts;
pub(crate) use listeners::hold;
pub use mapping::{MOST_PORTS, PortMapping, Protocol};
pub(crate) use owner::PortOwner;
pub(crate) use reservation::Reservations;
pub use reservation::check;
pub use spec::{ContainerPort, InvalidPort, PortSpec};
