//! From an image of the store and the policy of this moment to the value that lets a pod be prepared.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::Instant;

use image_document::Platform;
use image_name::{Digest, Reference, Repository};
use image_store::{Depth, Fetch, Image, Layer, Store, WantedBundles};
use pod::manifest::InsecureOption;
use trust::{Basis, Integrity, Policy, SIGNATURE_TYPE, Subject, VerifiedImage};

use super::circumstances::{circumstances, newest_name};
use super::evidence::KnownEvidence;
use super::files;
use crate::config::files::Config;
use crate::engine::Engine;
use crate::error::Error;
use crate::observer::{Detail, Observer, Warning};

/// An image whose bytes were hashed, whose right to run was judged and whose layers were checked as
/// deep as the rule wants, all just now. Only [`Verifier::at_start`] makes one.
#[derive(Debug)]
pub struct RunnableImage {
    image: Image,
    proof: VerifiedImage,
}

impl RunnableImage {
    /// The image.
    pub fn image(&self) -> &Image {
        &self.image
    }

    /// Why it may run.
    pub fn proof(&self) -> &VerifiedImage {
        &self.proof
    }

    /// The repository it was asked for from.
    pub fn repository(&self) -> &Repository {
        self.proof.reference().repository()
    }

    /// Says so where nobody vouches for the image.
    pub fn warn_if_unsigned(&self, observer: &dyn Observer) {
        warn_if_unsigned(&self.proof, observer);
    }
}

/// Says so where nobody vouches for an image.
pub fn warn_if_unsigned(proof: &VerifiedImage, observer: &dyn Observer) {
    match proof.verification().policy {
        Basis::AcceptUnsigned | Basis::Waived => observer.warning(Warning::Unsigned {
            reference: proof.reference().to_string(),
            verification: proof.verification().clone(),
        }),
        Basis::SignedBy | Basis::Digest => {}
    }
}

/// Judges images for one command.
pub struct Verifier<'a> {
    engine: &'a Engine,
    observer: &'a dyn Observer,
    /// `None` if the user waives verification.
    policy: Option<Policy>,
    /// The layers that were checked, and how deep: apps of a pod mostly share some.
    checked: RefCell<HashMap<Digest, Integrity>>,
}

impl<'a> Verifier<'a> {
    /// Reads the configuration and, unless it is waived, the policy.
    ///
    /// # Errors
    /// As [`files::read`].
    pub fn new(engine: &'a Engine, observer: &'a dyn Observer) -> Result<Self, Error> {
        Self::by(&Config::read(&engine.directories)?, engine, observer)
    }

    /// The same by a configuration that has been read.
    ///
    /// # Errors
    /// As [`files::read_with`].
    pub(crate) fn by(
        config: &Config,
        engine: &'a Engine,
        observer: &'a dyn Observer,
    ) -> Result<Self, Error> {
        let policy = match engine.gives_up(InsecureOption::Image) {
            true => None,
            false => {
                let namespace = engine.kubernetes_namespace.as_deref();
                let policy = files::read_with(&engine.directories, config)?;
                Some(policy.for_kubernetes_namespace(namespace))
            }
        };
        Ok(Self {
            engine,
            observer,
            policy,
            checked: RefCell::default(),
        })
    }

    /// Who is told what happens.
    pub(crate) fn observer(&self) -> &dyn Observer {
        self.observer
    }

    /// What the rule for a name can make use of.
    pub(crate) fn wanted_bundles(&self, name: &Reference) -> WantedBundles {
        let Some(placed) = self.policy.as_ref().and_then(|own| own.deciding(name)) else {
            return WantedBundles::default();
        };
        let demands = placed.rule().attestations().iter();
        WantedBundles {
            predicate_types: demands
                .map(|demand| demand.predicate_type.clone())
                .collect(),
            key_hints: placed.rule().bundle_hints(),
            ..WantedBundles::default()
        }
    }

    /// Judges an image before its layers are fetched.
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn at_fetch(&self, fetch: &Fetch) -> Result<VerifiedImage, Error> {
        let proof = self.before_fetch(fetch)?;
        if let (Some(signed), Some(name)) = (proof.signed_at(), newest_name(fetch.reference())) {
            self.engine.store().note_signed(name, signed.seconds())?;
        }
        Ok(proof)
    }

    /// As [`Verifier::at_fetch`] for an image that may be left where it is: how new it is, is not remembered.
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub(crate) fn before_fetch(&self, fetch: &Fetch) -> Result<VerifiedImage, Error> {
        let known = fetch.signatures().clone().into();
        let reference = fetch.reference();
        self.judge(reference, fetch.chain(), fetch.manifest_digest(), &known)
            .map_err(|error| match error {
                Error::Refused { mut refusal, place } => {
                    refusal.note_unanswered(fetch.unanswered());
                    Error::Refused { refusal, place }
                }
                error => error,
            })
    }

    /// Reads an image from the store, hashing it, judges it by the signatures that the store has, and
    /// checks its layers. `top` is its index or manifest.
    ///
    /// # Errors
    /// [`Error::Refused`], [`Error::Integrity`], or what else is wrong with the image.
    pub fn at_start(&self, reference: &Reference, top: &Digest) -> Result<RunnableImage, Error> {
        let image = self.before_start(reference, top)?;
        self.note_newest(&self.engine.store(), reference, &image.proof)?;
        Ok(image)
    }

    /// As [`Verifier::at_start`] for an image that need not be started: how new it is, is not remembered.
    ///
    /// # Errors
    /// As [`Verifier::at_start`].
    pub(crate) fn before_start(
        &self,
        reference: &Reference,
        top: &Digest,
    ) -> Result<RunnableImage, Error> {
        let (image, proof) = self.in_store(reference, top)?;
        self.check_layers(&self.engine.store(), reference, &image, proof.integrity())?;
        Ok(RunnableImage { image, proof })
    }

    /// Reads an image from the store, hashing it, and judges it by the signatures that the store has. Its layers are not
    /// looked at, and so it can't be started.
    ///
    /// # Errors
    /// [`Error::Refused`], or what else is wrong with the image.
    pub fn in_store(
        &self,
        reference: &Reference,
        top: &Digest,
    ) -> Result<(Image, VerifiedImage), Error> {
        let store = self.engine.store();
        let image = store.image(top, &Platform::host())?;
        let judge = |known: &KnownEvidence| {
            self.judge(reference, image.chain(), image.manifest_digest(), known)
        };
        let proof = match judge(&self.evidence_that_matters(&store, reference, &image)?) {
            // Why not, all that there is has to tell.
            Err(Error::Refused { .. }) => judge(&KnownEvidence::read(&store, image.chain())?)?,
            other => other?,
        };
        Ok((image, proof))
    }

    /// What the rule for a name can make use of. What nobody asks for is not even read: a list of an image's
    /// parts has megabytes.
    fn evidence_that_matters(
        &self,
        store: &Store,
        reference: &Reference,
        image: &Image,
    ) -> Result<KnownEvidence, Error> {
        let Some(policy) = &self.policy else {
            return Ok(KnownEvidence::default());
        };
        let placed = policy.deciding(reference);
        let demands = placed.map_or(&[][..], |placed| placed.rule().attestations());
        let matters = |kind: &str| {
            kind == SIGNATURE_TYPE || demands.iter().any(|one| one.predicate_type == kind)
        };
        Ok(KnownEvidence::read_if(store, image.chain(), &matters)?)
    }

    /// Checks the layers that were not checked as deep before.
    fn check_layers(
        &self,
        store: &Store,
        reference: &Reference,
        image: &Image,
        integrity: Integrity,
    ) -> Result<(), Error> {
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
            .inspect_err(|error| store.note_damage(error))
            .map_err(|error| Error::integrity(error, reference))?;
        self.observer.detail(&Detail::Integrity {
            integrity,
            layers: layers.len(),
            took: begun.elapsed(),
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
    ) -> Result<VerifiedImage, Error> {
        let subject = Subject {
            reference,
            digests: chain,
            manifest,
        };
        let Some(policy) = &self.policy else {
            return Ok(trust::waive(&subject));
        };
        let at = circumstances(&self.engine.store(), policy, reference)?;
        Ok(trust::verify(policy, &subject, &known.as_evidence(), &at)?)
    }

    /// Remembers the time of a signature that a start accepted, for images that were signed anew since
    /// they were fetched. Where the store can't be written, what is known already stays in force.
    fn note_newest(
        &self,
        store: &Store,
        reference: &Reference,
        proof: &VerifiedImage,
    ) -> Result<(), Error> {
        let (Some(signed), Some(name)) = (proof.signed_at(), newest_name(reference)) else {
            return Ok(());
        };
        if let Err(error) = store.note_signed(name, signed.seconds()) {
            self.observer.warning(Warning::AgeNotRemembered {
                reference: name.clone(),
                error,
            });
        }
        Ok(())
    }
}
