//! Which limits of layers an administrator may raise.

/// A limit of layers that an administrator may raise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LayerLimit {
    /// [`crate::Limits::layer`].
    CompressedSize,
    /// [`crate::Limits::expanded`].
    Size,
    /// [`crate::Limits::ratio`].
    Ratio,
    /// [`crate::Limits::file`].
    FileSize,
    /// [`crate::Limits::entries`].
    Entries,
    /// [`crate::Limits::depth`].
    Depth,
    /// [`crate::Limits::path`].
    PathLength,
    /// [`crate::Limits::xattrs`].
    XattrSize,
}

impl LayerLimit {
    /// Its name in the table `[layers]` of the configuration.
    #[must_use]
    pub const fn setting(self) -> &'static str {
        match self {
            Self::CompressedSize => "max-compressed-size",
            Self::Size => "max-size",
            Self::Ratio => "max-ratio",
            Self::FileSize => "max-file-size",
            Self::Entries => "max-entries",
            Self::Depth => "max-depth",
            Self::PathLength => "max-path-length",
            Self::XattrSize => "max-xattr-size",
        }
    }

    /// What it is about, for a message.
    #[must_use]
    pub const fn subject(self) -> &'static str {
        match self {
            Self::CompressedSize => "size of the compressed layer",
            Self::Size => "size of the unpacked layer",
            Self::Ratio => "ratio of inflated to compressed bytes",
            Self::FileSize => "size of the file",
            Self::Entries => "number of entries",
            Self::Depth => "number of components of the path",
            Self::PathLength => "bytes of the path",
            Self::XattrSize => "bytes of extended attributes",
        }
    }
}
