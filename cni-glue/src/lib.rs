//! The networks of pods: their namespaces, and what is in them.
//!
//! [`attach::Attacher`] puts a pod into its networks and takes it out again, and [`gc`](attach::Attacher::gc) clears
//! what pods left that were killed. Below it are the two kinds of networks, those of CNI plugins ([`runtime`]) and
//! those that need none ([`builtin`]), both configured alike ([`config`]); ports of the host ([`ports`]), limits
//! ([`bandwidth`]), and what names resolve to ([`names`]).
//!
//! Everything runs in the calling thread, without a daemon: state is files in one directory, below which locks keep
//! processes apart, and the kernel's own.

mod as_text;
pub mod attach;
pub mod bandwidth;
pub mod builtin;
pub mod config;
pub mod error;
mod foreign;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
pub mod id;
pub mod interface;
pub mod mac;
pub mod names;
mod netlink;
pub mod netns;
mod nftables;
pub mod plugin;
pub mod ports;
mod record;
pub mod runtime;
pub mod status;
pub mod subnet;
mod sys;
pub mod tap;

pub use error::NetworkError;
pub use netns::Netns;
