//! Networks that need no plugin: a bridge with addresses, masquerading and port forwarding; the same without a way out;
//! pairs of links without a bridge; and links on top of one of the host's.
//!
//! They are configured as any network is, by plugins of the type [`PLUGIN_TYPE`], and that is how the ready-made ones
//! are written down too; only that no program is run for it.
//!
//! A pod's link is made where it belongs, both ends up at once, in as few messages as possible: each operation
//! that moves or stops a link waits for the kernel's grace periods, milliseconds each.

mod addressing;
mod choice;
mod claim;
mod config;
mod firewall;
mod forwarding;
mod interrupted;
mod lease;
mod network;
mod occupied;
mod pod_link;
mod ready_made;
mod setup;
mod shaping;
mod sweep;
mod verbs;

pub use choice::check_subnets;
pub(crate) use config::LINK_PREFIX;
pub(crate) use config::check_arguments;
pub use config::{BuiltinConfig, Mode, PLUGIN_TYPE};
pub(crate) use firewall::foreign_drops;
pub(crate) use firewall::forget_ports;
pub(crate) use firewall::owner_of_others;
pub(crate) use interrupted::leave as leave_interrupted;
pub(crate) use lease::Leases;
pub use lease::Peer;
pub use network::subnets;
pub(crate) use network::{is_made, made};
pub use ready_made::is_forwarded;
pub(crate) use ready_made::networks;
pub(crate) use sweep::sweep;
pub(crate) use verbs::{Builtin, Membership};
