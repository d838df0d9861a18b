//! What belongs to an image on its way, whatever it is written to: its documents, what is attached
//! to it, and its blobs.

mod attachments;
mod make;
mod part;
mod source;
mod walk;

pub(crate) use make::Plan;
pub(crate) use part::{At, Blob};
pub(crate) use source::Source;
pub(crate) use walk::Wanted;
