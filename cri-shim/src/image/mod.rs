//! Images: which there are, and what kubelets call them.
//!
//! The id of an image is the digest of its configuration, by whatever name and from whatever registry it came. An image has
//! as many names as the store has for it.

mod auth;
mod collector;
mod file_system;
mod find;
mod list;
mod pull;
mod remove;
mod resolve;
mod seen;
mod status;
mod stored;
mod told;

pub(crate) use self::collector::Collector;
pub(crate) use self::file_system::info;
pub(crate) use self::list::list;
pub(crate) use self::pull::pull;
pub(crate) use self::remove::remove;
pub(crate) use self::resolve::{Resolved, resolve};
pub(crate) use self::seen::Seen;
pub(crate) use self::status::status;
