//! From an image of the store and the policy of this moment to the value that lets a pod be prepared.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::Instant;

use image_store::{Depth, Fetch, Image, Layer, Platform, Reference, Signature, Store};
use oci_spec::image::Digest;
use trust::{
    Basis, Circumstances, Evidence, Integrity, Policy, Repository, SignatureLayer, Subject,
    Timestamp, VerifiedImage,
};

use crate::context::Context;
use crate::failure::Failure;
use crate::{output, policy_files};

/// An image whose bytes were hashed, whose right to run was judged and whose layers were checked as
/// deep as the rule wants, all just now. Only [`Verifier::at_start`] makes one.
#[derive(Debug)]
pub(crate) struct RunnableImage {
    image: Image,
    proof: VerifiedImage,
    repository: String,
}

impl RunnableImage {
    /// The image.
    pub(crate) fn image(&self) -> &Image {
        &self.image
    }

    /// Why it may run.
    pub(crate) fn proof(&self) -> &VerifiedImage {
        &self.proof
    }

    /// The repository it was asked for from.
    pub(crate) fn repository(&self) -> &str {
        &self.repository
    }

    /// Says so where nobody vouches for the image.
    pub(crate) fn warn_if_unsigned(&self) {
        warn_if_unsigned(&self.proof);
    }
}

/// Says so where nobody vouches for an image.
pub(crate) fn warn_if_unsigned(proof: &VerifiedImage) {
    match proof.verification().policy {
        Basis::AcceptUnsigned | Basis::Waived => output::warn(&format!(
            "image {}: {}",
            proof.reference(),
            proof.verification()
        )),
        Basis::SignedBy | Basis::Digest => {}
    }
}

/// Judges images for one command.
#[derive(Debug)]
pub(crate) struct Verifier<'a> {
    context: &'a Context,
    /// `None` if the user waives verification.
    policy: Option<Policy>,
    /// The layers that were checked, and how deep: apps of a pod mostly share some.
    checked: RefCell<HashMap<Digest, Integrity>>,
}

impl<'a> Verifier<'a> {
    /// Reads the policy, unless it is waived.
    ///
    /// # Errors
    /// As [`policy_files::read`].
    pub(crate) fn new(context: &'a Context) -> Result<Self, Failure> {
        let policy = match context.waives_images() {
            true => None,
            false => Some(policy_files::read(&context.directories)?),
        };
        Ok(Self {
            context,
            policy,
            checked: RefCell::default(),
        })
    }

    /// Judges an image before its layers are fetched.
    ///
    /// # Errors
    /// [`Failure::Refused`].
    pub(crate) fn at_fetch(&self, fetch: &Fetch) -> Result<VerifiedImage, Failure> {
        let known = &fetch.signatures().simple;
        let signatures = known.iter().map(layer).collect::<Vec<_>>();
        self.judge(
            fetch.reference(),
            fetch.chain(),
            fetch.manifest_digest(),
            &signatures,
        )
    }

    /// Reads an image from the store, hashing it, judges it by the signatures that the store has, and
    /// checks its layers. `top` is its index or manifest.
    ///
    /// # Errors
    /// [`Failure::Refused`], [`Failure::Integrity`], or what else is wrong with the image.
    pub(crate) fn at_start(
        &self,
        reference: &Reference,
        top: &Digest,
    ) -> Result<RunnableImage, Failure> {
        let store = self.context.store();
        let image = store.image(top, &Platform::host())?;
        let mut signatures = Vec::new();
        if self.policy.is_some() {
            for digest in image.chain() {
                signatures.extend(store.signatures(digest)?.simple.iter().map(layer));
            }
        }
        let proof = self.judge(
            reference,
            image.chain(),
            image.manifest_digest(),
            &signatures,
        )?;
        self.check_layers(&store, reference, &image, proof.integrity())?;
        Ok(RunnableImage {
            image,
            proof,
            repository: reference.repository(),
        })
    }

    /// Checks the layers that were not checked as deep before.
    fn check_layers(
        &self,
        store: &Store,
        reference: &Reference,
        image: &Image,
        integrity: Integrity,
    ) -> Result<(), Failure> {
        let depth = match integrity {
            Integrity::Off => return Ok(()),
            Integrity::Seal => Depth::Inodes,
            Integrity::Full => Depth::Contents,
        };
        let mut checked = self.checked.borrow_mut();
        let enough = |before: Option<&Integrity>| {
            before.is_some_and(|before| *before == integrity || *before == Integrity::Full)
        };
        let layers: Vec<Layer> = image
            .layers()
            .iter()
            .filter(|layer| !enough(checked.get(&layer.diff_id)))
            .cloned()
            .collect();
        let begun = Instant::now();
        store
            .check_layers(&layers, depth)
            .map_err(|error| Failure::integrity(error, reference))?;
        output::debug(|| {
            let (count, micros) = (layers.len(), begun.elapsed().as_micros());
            format!("integrity {integrity} of {count} layers checked in {micros} us")
        });
        checked.extend(layers.into_iter().map(|layer| (layer.diff_id, integrity)));
        Ok(())
    }

    fn judge(
        &self,
        reference: &Reference,
        chain: &[Digest],
        manifest: &Digest,
        signatures: &[SignatureLayer],
    ) -> Result<VerifiedImage, Failure> {
        let repository = Repository::parse(&reference.repository())?;
        let shown = reference.to_string();
        let subject = Subject {
            repository: &repository,
            tag: reference.tag(),
            digest: reference.digest(),
            reference: &shown,
            digests: chain,
            manifest,
        };
        let evidence = Evidence {
            simple: signatures,
            bundles: &[],
        };
        match &self.policy {
            Some(policy) => Ok(trust::verify(
                policy,
                &subject,
                &evidence,
                &circumstances(),
            )?),
            None => Ok(trust::waive(&subject)),
        }
    }
}

/// What a verdict depends on beside the policy and the image.
pub(crate) fn circumstances() -> Circumstances {
    Circumstances {
        now: Timestamp::from_clock(std::time::SystemTime::now()),
        newest_seen: None,
    }
}

/// A signature as the store has it, in the form in which it is judged.
pub(crate) fn layer(signature: &Signature) -> SignatureLayer {
    SignatureLayer {
        payload: signature.payload.clone(),
        signature: signature.signature.clone(),
    }
}
