//! What belongs to an image on its way, whatever it is written to: its documents, what is attached
//! to it, and its blobs.

mod attachments;
mod gathering;
mod make;
mod source;

pub(crate) use gathering::Wanted;
pub(crate) use make::{is_docker, layout_note, make};
pub(crate) use source::Source;
