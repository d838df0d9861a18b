//! Volumes that outlive pods: made for those that mount them, filled once, found in use, and removed.

mod contents;
mod group;
pub mod in_use;
mod provide;
pub mod store;
mod sub_paths;

pub(crate) use self::contents::Contents;
pub(crate) use self::provide::{Mounting, copied_into, provide, require};
