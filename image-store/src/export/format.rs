//! In which format an image is exported.

/// The format of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportFormat {
    /// A directory in the OCI image layout.
    OciLayout,
    /// The same as a tar file.
    OciArchive,
    /// What `docker load` reads: plain layers, one image of one platform.
    DockerArchive,
}
