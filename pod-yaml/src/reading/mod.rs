//! From parts of a document to typed values, each called by its path.

mod findings;
mod object;
mod quantity;
mod value;

pub use self::findings::{Error, Finding};
pub(crate) use self::findings::{Findings, Place};
pub(crate) use self::object::Object;
pub(crate) use self::quantity::Quantity;
pub(crate) use self::value::At;
