//! Documents of images, of OCI and of Docker: manifests, indexes and configurations, what refers to
//! an image, and what cosign keeps beside one; and which of them make up an image on its way.
//!
//! Nothing here reads a file or a socket: whoever has the bytes gives them.

pub mod cosign;
mod error;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
pub mod go_json;
mod manifest;
pub mod media_type;
mod plan;
mod raw_manifest;
pub mod referrer;

pub use error::DocumentError;
pub use manifest::{
    Descriptor, Document, Healthcheck, Index, Manifest, Platform, healthcheck,
    is_of_doubtful_platform, parse_config,
};
pub use plan::{At, Attachment, Blob, Plan};
pub use raw_manifest::RawManifest;
