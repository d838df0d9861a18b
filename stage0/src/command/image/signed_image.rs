//! An image that is signed, or whose signatures are looked at: as the store has it, else as its
//! registry has it now.

use engine::Error;
use engine::images::registries;
use engine::policy::evidence::KnownEvidence;
use image_document::{DocumentError, Platform};
use image_name::{Digest, Reference};
use image_store::{FetchOptions, ImageSource, SignatureSet, StoreError};
use trust::Subject;

use crate::context::Context;
use crate::wording::failure::Failure;

/// An image and what vouches for it; nothing of it is verified.
#[derive(Debug)]
pub(crate) struct SignedImage {
    /// Its name.
    pub(crate) reference: Reference,
    /// Whether the store has it.
    pub(crate) in_store: bool,
    /// Whether it came from the registry that its name says.
    pub(crate) in_registry: bool,
    /// Index first, if it has one, then the manifest for this machine.
    chain: Vec<Digest>,
    manifest: Digest,
    signatures: Option<SignatureSet>,
}

impl SignedImage {
    /// Finds the image. Its layers are neither looked at nor fetched.
    ///
    /// # Errors
    /// If neither the store nor the registry has it, or it was never in a store nor a registry.
    pub(crate) fn find(
        context: &Context,
        text: &str,
        options: &FetchOptions,
    ) -> Result<Self, Failure> {
        let image = registries::candidate(&context.engine, text)?;
        if let Some(record) = image.in_store(&context.engine.store())? {
            // Imported images may have no registry, or one that has never seen them.
            let in_registry = ImageSource::of_registry(&record.source)
                .is_some_and(|source| source.repository() == record.reference.repository());
            let (chain, manifest) = match context
                .engine
                .store()
                .image(&record.digest, &Platform::host())
            {
                Ok(image) => (image.chain().to_vec(), image.manifest_digest().clone()),
                // Images for other machines are signed too.
                Err(StoreError::Document(DocumentError::NoPlatform { .. })) => {
                    (vec![record.digest.clone()], record.digest)
                }
                Err(error) => return Err(error.into()),
            };
            return Ok(Self {
                reference: record.reference,
                in_store: true,
                in_registry,
                chain,
                manifest,
                signatures: None,
            });
        }
        let source = image.into_source().ok_or_else(|| Error::NotInStore {
            reference: text.to_owned(),
        })?;
        let Some(reference) = source.reference() else {
            return Err(Failure::Other(format!(
                "{source} can't be signed in place; `fairing image import` it first"
            )));
        };
        let fetch = context.engine.store().begin_fetch(&source, options)?;
        Ok(Self {
            reference: reference.clone(),
            in_store: false,
            in_registry: true,
            chain: fetch.chain().to_vec(),
            manifest: fetch.manifest_digest().clone(),
            signatures: Some(fetch.signatures().clone()),
        })
    }

    /// The digest that is signed: the index's if there is one.
    pub(crate) fn top(&self) -> &Digest {
        self.chain.first().unwrap_or(&self.manifest)
    }

    /// The digests that a signature may name.
    pub(crate) fn chain(&self) -> &[Digest] {
        &self.chain
    }

    /// What vouches for it, in the forms in which it is judged.
    ///
    /// # Errors
    /// If the store can't be read.
    pub(crate) fn signatures(&self, context: &Context) -> Result<KnownEvidence, Failure> {
        match &self.signatures {
            Some(found) => Ok(found.clone().into()),
            None => Ok(KnownEvidence::read(&context.engine.store(), &self.chain)?),
        }
    }

    /// The image as it is judged.
    pub(crate) fn subject(&self) -> Subject<'_> {
        Subject {
            reference: &self.reference,
            digests: &self.chain,
            manifest: &self.manifest,
        }
    }
}
