//! Devices of the host that an app gets: by path, or by a name that its vendor describes.

pub mod cdi;
mod edits;
mod node;
pub mod request;
mod resolve;

pub use self::request::DeviceRequest;
pub use self::resolve::groups;
pub(crate) use self::resolve::resolve;
