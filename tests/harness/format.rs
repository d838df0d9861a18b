//! The two formats of images.

/// The media types of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// OCI image format.
    #[default]
    Oci,
    /// Docker image manifest, version 2, schema 2.
    Docker,
}
