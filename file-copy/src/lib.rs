//! Files and directories as a tar stream, from one root filesystem into another.
//!
//! [`send`] writes what is at a path, [`Receiver`] makes files of such a stream. One side is in a pod, and whatever is
//! there may change meanwhile, so neither trusts the other: everything is opened by single names within directories
//! that are open already, through no symbolic link, and nothing but regular files is ever opened for its content.

mod error;
mod header;
mod left_out;
mod receive;
mod send;
#[cfg(test)]
mod tests;

pub use error::CopyError;
pub use left_out::LeftOut;
pub use receive::{Arrival, Receiver, Rules, Sent};
pub use send::{Source, send};
