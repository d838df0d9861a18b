//! Layers: from a compressed tar stream to a tree in the form that overlayfs stacks.

mod chunks;
mod extract;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod header;
mod inflate;
mod intake;
mod member;
mod pax;
mod pipeline;
mod sparse;
mod tree;
mod walk;
mod whiteout;
mod window;

#[cfg(test)]
mod tests;

pub(crate) use intake::{Intake, Watch};
pub(crate) use member::{Device, Kind, Member, Time};
pub(crate) use pipeline::LayerJob;
pub(crate) use walk::{Walk, shown};
pub use window::WindowMemory;
