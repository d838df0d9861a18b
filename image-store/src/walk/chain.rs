//! The way to the manifest of one platform.

use image_document::{Descriptor, DocumentError, Index, Manifest, Platform, RawManifest};
use image_name::Digest;

use super::documents::{Bounds, Visitor, Walk};
use crate::error::StoreError;

/// What leads to the manifest of one platform, and that manifest.
#[derive(Debug)]
pub(crate) struct Chain {
    /// The index, if there is one, then the manifest.
    pub(crate) documents: Vec<RawManifest>,
    pub(crate) manifest: Manifest,
}

impl Chain {
    /// The digests of the documents.
    pub(crate) fn digests(&self) -> Vec<Digest> {
        let documents = self.documents.iter();
        documents.map(|document| document.digest.clone()).collect()
    }
}

/// Goes from `top`, which was proven, to the manifest for `platform`.
///
/// # Errors
/// [`DocumentError::NoPlatform`] for an index without it, what is wrong with a document, and what
/// `read` says.
pub(crate) fn chain(
    top: RawManifest,
    platform: &Platform,
    name: &dyn Fn(&str, &Digest) -> String,
    read: &mut dyn FnMut(&Descriptor) -> Result<RawManifest, StoreError>,
) -> Result<Chain, StoreError> {
    let what = name("index", &top.digest);
    let mut visitor = OnePlatform {
        platform,
        name,
        read,
        documents: Vec::with_capacity(2),
        manifest: None,
    };
    Walk::new(Bounds::ONE_PLATFORM).through(top, &mut visitor)?;
    let OnePlatform {
        mut documents,
        manifest,
        ..
    } = visitor;
    // Each was left after what it leads to.
    documents.reverse();
    match manifest {
        Some(manifest) => Ok(Chain {
            documents,
            manifest,
        }),
        // An index that is its own member.
        None => Err(StoreError::Document(DocumentError::BadManifest {
            what,
            reason: "it leads to no manifest".to_owned(),
        })),
    }
}

struct OnePlatform<'a> {
    platform: &'a Platform,
    name: &'a dyn Fn(&str, &Digest) -> String,
    read: &'a mut dyn FnMut(&Descriptor) -> Result<RawManifest, StoreError>,
    documents: Vec<RawManifest>,
    manifest: Option<Manifest>,
}

impl Visitor for OnePlatform<'_> {
    fn name(&self, kind: &str, digest: &Digest) -> String {
        (self.name)(kind, digest)
    }

    fn members<'i>(
        &mut self,
        digest: &Digest,
        index: &'i Index,
    ) -> Result<Vec<&'i Descriptor>, StoreError> {
        let what = self.name("index", digest);
        Ok(vec![index.pick(&what, self.platform)?])
    }

    fn read(&mut self, member: &Descriptor) -> Result<RawManifest, StoreError> {
        (self.read)(member)
    }

    fn manifest(&mut self, _: &Digest, manifest: Manifest) -> Result<(), StoreError> {
        self.manifest = Some(manifest);
        Ok(())
    }

    fn leave(&mut self, raw: RawManifest) {
        self.documents.push(raw);
    }
}
