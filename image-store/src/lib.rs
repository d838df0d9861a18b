//! The image store of fairing: fetches OCI images, unpacks each layer once, and gives back what
//! was verified by digest. It knows nothing of trust or policy.

mod archive;
mod argument;
mod contents;
mod convert;
mod copy;
mod decompress;
mod error;
mod export;
mod fetch;
mod file_content;
mod filesystem;
#[cfg(test)]
mod fixture;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod interrupt;
mod layout;
mod leased;
mod look_into;
mod open;
mod options;
mod origin;
mod partial;
mod plan;
mod proven;
mod referring;
mod registry_origin;
mod root_names;
mod source;
mod store;
mod tar_writer;
pub mod tree;
mod verify;
mod verity;
mod walk;
mod xattrs;

pub use argument::ImageArgument;
pub use contents::Contents;
pub use convert::{Commit, ConfigChange, ImageSettings, StagedCommit};
pub use copy::{Copied, CopyOptions, Outgoing, copy, save_docker_archive, save_oci_archive};
pub use error::StoreError;
pub use export::ExportFormat;
pub use fetch::{Fetch, FetchEvent};
pub use filesystem::Filesystem;
pub use image_document::Healthcheck;
pub use image_document::referrer::BundleLimits;
pub use image_layer::seal::Depth;
pub use image_layer::{ContentError, Layer, LayerLimit, Limits, WindowMemory, sha256};
pub use interrupt::Interrupt;
pub use look_into::contents;
pub use options::{FetchOptions, WantedBundles};
pub use source::ImageSource;
pub use store::{
    Exclusive, GcReport, Hold, Image, Listing, Pin, RefRecord, Signature, SignatureSet, Staging,
    Store, Survey,
};
pub use verify::{Audit, Cure, Health, ImageReport, Problem};
pub use verity::Verity;
