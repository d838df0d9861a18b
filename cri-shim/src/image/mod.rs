//! Images: which there are, and what kubelets call them.
//!
//! The id of an image is the digest of its configuration, by whatever name and from whatever registry it came. An image has
//! as many names as the store has for it.

mod find;
mod resolve;
mod stored;

pub(crate) use self::resolve::{Resolved, resolve};
