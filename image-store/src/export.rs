//! Images into directories and files: as OCI layout, OCI archive or docker archive, such that other
//! tools read them back with equal digests.

mod archive;
mod docker;
mod format;
mod index;
mod layout;
mod names;
#[cfg(test)]
mod tests;

pub(crate) use archive::{ArchiveWriter, archive};
pub(crate) use docker::{DockerWriter, docker};
pub use format::ExportFormat;
pub(crate) use layout::layout;
pub(crate) use names::new;
