//! From an image of the store and the policy of this moment to the value that lets a pod be prepared.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::Instant;

use image_name::Digest;
use image_store::{Depth, Fetch, Image, Layer, Platform, Reference, Store};
use trust::{
    Basis, Circumstances, Integrity, Policy, Repository, Subject, Timestamp, VerifiedImage,
};

use crate::context::Context;
use crate::evidence::KnownEvidence;
use crate::failure::Failure;
use crate::{output, policy_files};

/// An image whose bytes were hashed, whose right to run was judged and whose layers were checked as
/// deep as the rule wants, all just now. Only [`Verifier::at_start`] makes one.
#[derive(Debug)]
pub(crate) struct RunnableImage {
    image: Image,
    proof: VerifiedImage,
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
    pub(crate) fn repository(&self) -> &Repository {
        self.proof.reference().repository()
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
        let known = fetch.signatures().clone().into();
        let reference = fetch.reference();
        let proof = self.judge(reference, fetch.chain(), fetch.manifest_digest(), &known)?;
        if let (Some(signed), Some(name)) = (proof.signed_at(), newest_name(reference)) {
            self.context.store().note_signed(name, signed.seconds())?;
        }
        Ok(proof)
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
        let known = match self.policy {
            Some(_) => KnownEvidence::read(&store, image.chain())?,
            None => KnownEvidence::default(),
        };
        let proof = self.judge(reference, image.chain(), image.manifest_digest(), &known)?;
        self.note_newest(&store, reference, &proof)?;
        self.check_layers(&store, reference, &image, proof.integrity())?;
        Ok(RunnableImage { image, proof })
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
        known: &KnownEvidence,
    ) -> Result<VerifiedImage, Failure> {
        let subject = Subject {
            reference,
            digests: chain,
            manifest,
        };
        let Some(policy) = &self.policy else {
            return Ok(trust::waive(&subject));
        };
        let at = circumstances(&self.context.store(), policy, reference)?;
        Ok(trust::verify(policy, &subject, &known.as_evidence(), &at)?)
    }

    /// Remembers the time of a signature that a start accepted, for images that were signed anew since
    /// they were fetched. Where the store can't be written, what is known already stays in force.
    fn note_newest(
        &self,
        store: &Store,
        reference: &Reference,
        proof: &VerifiedImage,
    ) -> Result<(), Failure> {
        let (Some(signed), Some(name)) = (proof.signed_at(), newest_name(reference)) else {
            return Ok(());
        };
        if let Err(error) = store.note_signed(name, signed.seconds()) {
            output::warn(&format!("the age of {name} is not remembered: {error}"));
        }
        Ok(())
    }
}

/// What a verdict depends on beside the policy and the image: the time, and how new the name's images
/// have been. That is looked up only where the rule asks for it.
///
/// # Errors
/// If the record of the name is damaged.
pub(crate) fn circumstances(
    store: &Store,
    policy: &Policy,
    reference: &Reference,
) -> Result<Circumstances, Failure> {
    let monotonic = policy
        .deciding(reference)
        .is_some_and(|placed| placed.rule().is_monotonic());
    let newest = match newest_name(reference) {
        Some(name) if monotonic => store.newest_signed(name)?,
        _ => None,
    };
    Ok(Circumstances {
        now: now(),
        newest_seen: newest.and_then(Timestamp::from_seconds),
    })
}

/// This machine's time.
pub(crate) fn now() -> Timestamp {
    Timestamp::from_clock(std::time::SystemTime::now())
}

/// The name under which the age of an image is remembered: with its tag alone. Who asks for a digest has
/// chosen, and can't be led back.
fn newest_name(reference: &Reference) -> Option<&Reference> {
    reference.digest().is_none().then_some(reference)
}
