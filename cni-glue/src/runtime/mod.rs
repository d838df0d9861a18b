//! The runtime's side of CNI: calling plugins, chaining them, and remembering what they said.
//!
//! Operations on one network share its lock; garbage collection has it alone. That no two operations are under way for
//! one pod is the caller's duty: who holds the pod's lock.

mod cache;
mod chain;
mod error;
mod invocation;
mod negotiation;
mod removal;
mod result;
mod verbs;
mod whole_network;

pub(crate) use cache::{Cache, CachedAttachment, DamagedAttachment};
pub use error::{PluginError, PluginFailure};
pub use invocation::{PluginFolders, Verb};
pub use result::Dns;
pub(crate) use result::{CniResult, Interface, Ip, ResultRoute};
pub use verbs::Runtime;
pub(crate) use verbs::{Attachment, NetnsRef, joined};

/// The variable that names the lock which is held while plugins run: one of them may call the program `fairing-cni`,
/// which would wait for it.
pub(crate) const HELD_LOCK: &str = "FAIRING_NETWORK_LOCK";
