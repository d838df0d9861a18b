//! Volumes that outlive pods: made for those that mount them, filled once, found in use, and removed.

pub mod in_use;
mod provide;
pub mod store;

pub(crate) use self::provide::{Mounting, copied_into, provide, require};
