//! The image that is judged.

use oci_spec::image::Digest;

use crate::name::{ImageName, Repository};

/// The image that is judged.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// Its repository, which picks the rule.
    pub repository: &'a Repository,
    /// The tag that it was asked for by; `latest` where none was given.
    pub tag: Option<&'a str>,
    /// The digest that it was asked for by.
    pub digest: Option<&'a Digest>,
    /// The reference as the user sees it, for messages and the record.
    pub reference: &'a str,
    /// Its chain of digests, index first if it has one, then the platform manifest. The caller has
    /// hashed the bytes of each, and found each in the one before.
    pub digests: &'a [Digest],
    /// The platform manifest that will run; the last of `digests`.
    pub manifest: &'a Digest,
}

impl<'a> Subject<'a> {
    /// What it was asked for by.
    pub fn name(&self) -> ImageName<'a> {
        ImageName {
            repository: self.repository,
            tag: self.tag,
            digest: self.digest,
        }
    }
}
