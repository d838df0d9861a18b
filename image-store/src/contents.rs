//! The images that an archive holds.

/// The images of an archive.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Contents {
    /// Their names, as the archive has them; an image may have several.
    pub names: Vec<String>,
    /// How many images have none.
    pub unnamed: usize,
}
