//! Images on their way from one place to another, byte for byte: documents first, as a plan of
//! what belongs to the image, then its blobs, each hashed on the way. Nothing is unpacked.

mod between;
mod options;
mod outgoing;
#[cfg(test)]
mod registry_tests;
mod several;
mod store_origin;
mod target;
#[cfg(test)]
mod tests;

pub use between::copy;
pub use options::{Copied, CopyOptions};
pub use outgoing::Outgoing;
pub use several::{save_docker_archive, save_oci_archive};
