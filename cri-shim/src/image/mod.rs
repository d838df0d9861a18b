//! Images: which one is meant.

mod resolve;

pub(crate) use self::resolve::{Resolved, resolve};
