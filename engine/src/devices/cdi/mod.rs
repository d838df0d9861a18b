//! Devices that vendors describe: the Container Device Interface, specification 1.0.
//!
//! Files in some directories describe kinds of devices, and what an app needs for each: nodes, variables, mounts.

mod apply;
mod document;
mod name;
mod registry;

pub(super) use self::apply::apply;
pub use self::document::{Document, Form, parse};
pub use self::name::{DeviceName, NotAName};
pub(crate) use self::registry::Registry;
