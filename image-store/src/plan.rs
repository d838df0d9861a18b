//! What belongs to an image on its way, whatever it is written to: its documents, what is attached
//! to it, and its blobs.

mod attachments;
mod gathering;
mod make;
mod part;
mod source;

pub(crate) use gathering::Wanted;
pub(crate) use make::Plan;
pub(crate) use part::{At, Blob};
pub(crate) use source::Source;
