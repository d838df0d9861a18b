//! The first half of a fetch: what names the image and who signed it.

use image_document::{Manifest, RawManifest, is_of_doubtful_platform, parse_config};
use image_layer::{ContentError, LayerLimit};
use image_name::{Digest, Reference};
use oci_spec::image::ImageConfiguration;

use super::name::name;
use super::signatures::{LookUp, look_up};
use crate::error::StoreError;
use crate::open::open;
use crate::options::FetchOptions;
use crate::origin::Origin;
use crate::proven::{check_digest, checked, small_blob};
use crate::source::ImageSource;
use crate::store::{Found, SignatureSet, Store};
use crate::walk::{self, Chain};

/// An image whose documents and signatures were fetched and checked by digest, and whose layers
/// were not. Dropping it leaves nothing in the store.
pub struct Fetch {
    pub(super) store: Store,
    pub(super) source: ImageSource,
    pub(super) options: FetchOptions,
    pub(super) origin: Box<dyn Origin>,
    pub(super) reference: Reference,
    /// Index, if there is one, and manifest.
    pub(super) documents: Vec<RawManifest>,
    pub(super) chain: Vec<Digest>,
    pub(super) manifest: Manifest,
    pub(super) config_bytes: Vec<u8>,
    config: ImageConfiguration,
    pub(super) diff_ids: Vec<Digest>,
    /// What the origin has, by subject.
    pub(super) signatures: Vec<(Digest, Found)>,
    all_signatures: SignatureSet,
    notes: Vec<String>,
    unanswered: Vec<String>,
}

impl std::fmt::Debug for Fetch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fetch")
            .field("reference", &self.reference)
            .field("chain", &self.chain)
            .finish_non_exhaustive()
    }
}

impl Store {
    /// Fetches index, manifest, configuration and signatures of an image, and checks their digests.
    /// Nothing is written, and nothing pinned: an origin may be slow for as long as it likes.
    ///
    /// # Errors
    /// What the origin says, or what is wrong with what it gave.
    pub fn begin_fetch(
        &self,
        source: &ImageSource,
        options: &FetchOptions,
    ) -> Result<Fetch, StoreError> {
        let mut origin = open(source, options, self)?;
        let limits = &options.limits;
        let shown = source.to_string();
        let top = checked(origin.top()?, &format!("manifest of {shown}"), None, limits)?;
        if let ImageSource::Registry(reference) = source
            && let Some(wanted) = reference.digest()
        {
            check_digest(&format!("manifest of {shown}"), wanted, &top.digest)?;
        }
        let what = format!("manifest of {shown}");
        let called = |kind: &str, _: &Digest| format!("{kind} of {shown}");
        let leading = walk::chain(top, &options.platform, &called, &mut |member| {
            let raw = origin.manifest(&member.digest)?;
            checked(raw, &what, Some(member), limits)
        })?;
        let chain = leading.digests();
        let Chain {
            documents,
            manifest,
        } = leading;
        manifest.check_image(&what)?;
        if let Some(layer) = manifest
            .layers
            .iter()
            .find(|layer| layer.size > limits.layer)
        {
            let what = format!("layer {} of {shown}", layer.digest);
            return Err(limits.exceeded(LayerLimit::CompressedSize, what).into());
        }
        let what = format!("configuration of {shown}");
        let config_bytes = match self.read_blob(&what, &manifest.config.digest, limits.config) {
            Ok(bytes) => bytes,
            Err(_) => small_blob(origin.as_mut(), &manifest.config, &what, limits.config)?,
        };
        let (config, diff_ids) = parse_config(&what, &config_bytes, &manifest, &options.platform)?;
        let mut signatures = Vec::new();
        let mut all_signatures = SignatureSet::default();
        let mut notes = origin.notes().to_vec();
        if is_of_doubtful_platform(&config) {
            let platform = &options.platform;
            notes.push(format!(
                "{what} does not say what platform it is for: {platform} is assumed"
            ));
        }
        let mut unanswered = Vec::new();
        for document in &documents {
            let subject = &document.digest;
            let LookUp {
                found,
                notes: left_out,
                unanswered: odd,
            } = look_up(origin.as_mut(), document, limits, &options.wanted)?;
            notes.extend(left_out);
            unanswered.extend(odd);
            all_signatures.merge(SignatureSet {
                simple: found.simple.clone(),
                bundles: found.bundles.iter().map(|one| one.bundle.clone()).collect(),
            });
            // What this machine has is read at once; no origin is waited for with it.
            let known = {
                let _pin = self.pin()?;
                self.signatures(subject)
            };
            match known {
                Ok(known) => all_signatures.merge(known),
                Err(error @ StoreError::Content(ContentError::Io { .. })) => return Err(error),
                // What is damaged is made anew by this fetch.
                Err(error) => notes.push(error.to_string()),
            }
            signatures.push((subject.clone(), found));
        }
        let reference = name(source, options, origin.as_ref())?;
        Ok(Fetch {
            store: self.clone(),
            source: source.clone(),
            options: options.clone(),
            origin,
            reference,
            documents,
            chain,
            manifest,
            config_bytes,
            config,
            diff_ids,
            signatures,
            all_signatures,
            notes,
            unanswered,
        })
    }
}

impl Fetch {
    /// Lets the image go into the store by its digest instead of by a tag, so that no name moves to it.
    pub fn name_by_digest(&mut self) {
        let top = self.chain.first().unwrap_or(self.manifest_digest());
        self.reference = self.reference.at_digest(top);
    }

    /// The name under which the image will be in the store.
    #[must_use]
    pub fn reference(&self) -> &Reference {
        &self.reference
    }

    /// The digests that name the image: of the index, if there is one, and of the manifest.
    #[must_use]
    pub fn chain(&self) -> &[Digest] {
        &self.chain
    }

    /// Digest of the platform's manifest.
    #[must_use]
    pub fn manifest_digest(&self) -> &Digest {
        // The chain has one digest at least.
        self.chain.last().unwrap_or(&self.manifest.config.digest)
    }

    /// Digest of the configuration.
    #[must_use]
    pub fn config_digest(&self) -> &Digest {
        &self.manifest.config.digest
    }

    /// How many layers there are.
    #[must_use]
    pub fn layers(&self) -> usize {
        self.manifest.layers.len()
    }

    /// The configuration.
    #[must_use]
    pub fn config(&self) -> &ImageConfiguration {
        &self.config
    }

    /// The signatures that the origin or the store has for any digest of the chain, not verified.
    #[must_use]
    pub fn signatures(&self) -> &SignatureSet {
        &self.all_signatures
    }

    /// What was left out or lost on the way, a line each: signatures that can't be read, or what a
    /// foreign format says that an image can't. A bounded number.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Why signatures may be missing here: what the origin answered oddly when it was asked for them, a
    /// line each. Of no matter for an image that needs none.
    #[must_use]
    pub fn unanswered(&self) -> &[String] {
        &self.unanswered
    }

    /// Compressed bytes of all layers.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.manifest
            .layers
            .iter()
            .fold(0, |sum, layer| sum.saturating_add(layer.size))
    }
}
