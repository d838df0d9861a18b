//! The store on disk. The file system is the database: what is visible is whole and was checked,
//! and became visible by one rename.
//!
//! ```text
//! images/lock                      shared while an image is fetched or picked, exclusive to collect
//! images/blobs/sha256/HEX          manifests, configurations, signatures, compressed layers
//! images/layers/HEX/fs             the tree of the layer with that diff ID, in overlayfs' form
//! images/layers/HEX/layer.json     its size
//! images/layers/HEX/seal           what each inode of the tree showed when it was unpacked
//! images/layers/HEX/contents       digests of what is in its files
//! images/layers/HEX/opaque         only where the layer hides everything below it
//! images/layers/HEX/damaged         a start has found that the tree is not as it should be
//! images/filesystems/HEX/          layers of that chain ID as one EROFS image, and its digest
//! images/refs/NAME                 a name: digests, when and from where
//! images/signatures/sha256-HEX     the signatures of that digest: cosign's manifest, bundles
//! images/newest/NAME               when an image of that name was signed last
//! images/tmp/                      what is half done, each entry locked by who makes it
//! ```

mod blobs;
mod collect;
mod contents;
mod damage;
mod digest_map;
mod durable;
mod find;
mod hold;
mod image;
mod layer_lock;
mod listing;
mod lock;
mod newest;
mod paths;
mod ref_name;
mod refs;
mod seals;
mod sign;
mod signatures;
mod staging;
mod survey;
mod tag;
#[cfg(test)]
mod tests;
mod trash;

pub use collect::GcReport;
pub(crate) use damage::DAMAGED;
pub(crate) use durable::{publish, sync_file_system, sync_folder};
pub use hold::Hold;
pub use image::Image;
pub(crate) use image::chain_id;
pub(crate) use layer_lock::{Holder, LayerLock, Progress};
pub(crate) use listing::LayerFacts;
pub use listing::Listing;
pub use lock::{Exclusive, Pin};
pub use paths::Store;
pub(crate) use paths::make_folder;
pub(crate) use ref_name::file_name;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use ref_name::of_file_name;
pub use refs::RefRecord;
pub(crate) use sign::Found;
pub(crate) use signatures::{MAX_PAYLOAD, signed_layers};
pub use signatures::{Signature, SignatureSet};
pub use staging::Staging;
pub use survey::Survey;
