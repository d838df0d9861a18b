//! The runtime's side of CNI: calling plugins, chaining them, and remembering what they said.
//!
//! Operations on one network share its lock; garbage collection has it alone. That no two operations are under way for
//! one pod is the caller's duty: who holds the pod's lock.

mod at_work;
mod cache;
mod chain;
mod invocation;
mod negotiation;
mod removal;
mod result;
mod shown;
mod verb;
mod verbs;
mod whole_network;

pub use crate::error::{PluginError, PluginFailure};
pub(crate) use at_work::folder as at_work;
pub(crate) use cache::{Cache, CachedAttachment, DamagedAttachment};
pub use invocation::PluginFolders;
pub use result::Dns;
pub(crate) use result::{CniResult, Interface, Ip, ResultRoute};
pub use verb::Verb;
pub use verbs::{Asked, Runtime};
pub(crate) use verbs::{Attachment, HELD_LOCK, NetnsRef, joined};
pub use whole_network::AfterFailure;
