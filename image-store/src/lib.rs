//! The image store of fairing: fetches OCI images, unpacks each layer once, and gives back what
//! was verified by digest. It knows nothing of trust or policy.

mod archive;
mod argument;
mod convert;
mod copy;
mod cosign;
mod digest;
mod error;
mod export;
mod fetch;
#[cfg(test)]
mod fixture;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod interrupt;
mod layer;
mod layer_limit;
mod layout;
mod limits;
mod manifest;
mod media_type;
mod open;
mod options;
mod origin;
mod plan;
mod proven;
mod referrer;
pub mod registry;
mod seal;
mod source;
mod store;
mod tar_writer;
mod verify;
mod walk;
mod worker;

pub use argument::ImageArgument;
pub use convert::ImageSettings;
pub use copy::{Copied, CopyOptions, Outgoing, copy};
pub use digest::sha256;
pub use error::{OwnCredentials, StoreError};
pub use export::ExportFormat;
pub use fetch::{Fetch, FetchEvent};
pub use interrupt::Interrupt;
pub use layer::WindowMemory;
pub use layer_limit::LayerLimit;
pub use limits::Limits;
pub use manifest::Platform;
pub use options::FetchOptions;
pub use origin::RawManifest;
pub use seal::Depth;
pub use source::ImageSource;
pub use store::{
    Exclusive, GcReport, Image, Layer, Listing, Pin, RefRecord, Signature, SignatureSet, Store,
    Survey,
};
pub use verify::{Audit, Cure, Health, ImageReport, Problem};
