//! The networks of pods: their namespaces, and what is in them.

pub mod error;
mod loopback;
pub mod netns;

pub use error::NetworkError;
pub use netns::Netns;
