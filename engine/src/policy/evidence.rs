//! What the store holds in favour of an image, in the form in which it is judged.

use image_name::Digest;
use image_store::{SignatureSet, Store, StoreError};
use trust::{Evidence, SignatureLayer};

/// Signatures and attestations of an image, none of them verified.
#[derive(Debug, Default)]
pub struct KnownEvidence {
    simple: Vec<SignatureLayer>,
    bundles: Vec<Vec<u8>>,
}

impl KnownEvidence {
    /// Reads what the store has about the digests of an image.
    ///
    /// # Errors
    /// If a record of it is damaged.
    pub fn read(store: &Store, chain: &[Digest]) -> Result<Self, StoreError> {
        Self::read_if(store, chain, &|_| true)
    }

    /// As [`KnownEvidence::read`], without the statements of types that don't matter.
    pub(crate) fn read_if(
        store: &Store,
        chain: &[Digest],
        matters: &dyn Fn(&str) -> bool,
    ) -> Result<Self, StoreError> {
        let mut known = Self::default();
        for digest in chain {
            known.add(store.signatures_that_matter(digest, matters)?);
        }
        Ok(known)
    }

    fn add(&mut self, set: SignatureSet) {
        let layers = set.simple.into_iter().map(|signature| SignatureLayer {
            payload: signature.payload,
            signature: signature.signature,
        });
        self.simple.extend(layers);
        self.bundles.extend(set.bundles);
    }

    /// To be judged.
    pub fn as_evidence(&self) -> Evidence<'_> {
        Evidence {
            simple: &self.simple,
            bundles: &self.bundles,
        }
    }
}

impl From<SignatureSet> for KnownEvidence {
    fn from(set: SignatureSet) -> Self {
        let mut known = Self::default();
        known.add(set);
        known
    }
}
