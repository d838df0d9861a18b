//! Layers of images: from a compressed tar stream to a tree in the form that overlayfs stacks, and
//! the seal by which a start finds what was changed in one since.
//!
//! It knows nothing of manifests, registries or the store: whoever calls it says which bytes, which
//! digests and which directory.

mod chunks;
mod digest;
mod error;
mod extract;
#[cfg(any(test, feature = "fixture"))]
pub mod fixture;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod gzip;
mod header;
mod inflate;
mod intake;
mod layer;
mod layer_limit;
mod limits;
mod member;
mod pax;
mod pipeline;
mod regular_file;
pub mod seal;
mod shown;
mod sparse;
mod tree;
mod walk;
mod whiteout;
mod window;
pub mod worker;
mod write_back;

#[cfg(test)]
mod tests;

pub use digest::{Hasher, has_digest, sha256};
pub use error::ContentError;
pub use extract::{Extracted, unpack};
pub use gzip::GzipMembers;
pub use intake::{Intake, Wanted, Watch};
pub use layer::Layer;
pub use layer_limit::LayerLimit;
pub use limits::{InflateBound, Limits};
pub use member::{Device, Kind, Member, MemberPath, Segment, Time};
pub use pipeline::LayerJob;
pub use regular_file::open_regular;
pub use shown::shown;
pub use walk::Walk;
pub use window::WindowMemory;
