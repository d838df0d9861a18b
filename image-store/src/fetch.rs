//! Fetching an image: first what names it and who signed it, then, once the caller agrees, its
//! layers. Nothing is visible in the store before it was checked, and the name comes last.

mod commit;
mod interrupt;
mod layers;

use std::io::Read;

use image_name::{Digest, Reference};
use oci_spec::image::ImageConfiguration;

pub use interrupt::Interrupt;

use crate::digest::sha256;
use crate::error::StoreError;
use crate::limits::LayerLimit;
use crate::manifest::{Descriptor, Document, Manifest, parse_config};
use crate::origin::{FetchOptions, Limits, Origin, RawManifest, open};
use crate::referrer;
use crate::source::ImageSource;
use crate::store::{Found, Image, MAX_PAYLOAD, Pin, Signature, SignatureSet, Store, signed_layers};

pub(crate) use layers::unpack_to;

/// What a fetch tells while it works.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FetchEvent {
    /// A layer of the image, told for all of them in order before anything is transferred.
    Layer {
        /// Digest of the compressed layer.
        digest: Digest,
        /// Compressed bytes.
        size: u64,
        /// Whether it is in the store already.
        present: bool,
    },
    /// Bytes have come.
    Received {
        /// Digest of the compressed layer.
        digest: Digest,
        /// Bytes so far.
        bytes: u64,
    },
    /// Another command works on the layer; this one goes on when that has ended.
    Waiting {
        /// Digest of the compressed layer.
        digest: Digest,
    },
    /// A layer was checked and unpacked, or another command did that meanwhile.
    Done {
        /// Digest of the compressed layer.
        digest: Digest,
    },
}

/// An image whose documents and signatures were fetched and checked by digest, and whose layers
/// were not. Dropping it leaves nothing in the store.
pub struct Fetch {
    store: Store,
    source: ImageSource,
    options: FetchOptions,
    origin: Box<dyn Origin>,
    reference: Reference,
    /// Index, if there is one, and manifest.
    documents: Vec<RawManifest>,
    chain: Vec<Digest>,
    manifest: Manifest,
    config_bytes: Vec<u8>,
    config: ImageConfiguration,
    diff_ids: Vec<Digest>,
    /// What the origin has, by subject.
    signatures: Vec<(Digest, Found)>,
    all_signatures: SignatureSet,
    notes: Vec<String>,
    _pin: Pin,
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
    /// Nothing is written.
    ///
    /// # Errors
    /// What the origin says, or what is wrong with what it gave.
    pub fn begin_fetch(
        &self,
        source: &ImageSource,
        options: &FetchOptions,
    ) -> Result<Fetch, StoreError> {
        let pin = self.pin()?;
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
        let mut chain = vec![top.digest.clone()];
        let mut document = Document::parse(&what, &top.bytes, &top.media_type)?;
        let mut documents = vec![top];
        if let Document::Index(index) = &document {
            let member = index
                .pick(&format!("index of {shown}"), &options.platform)?
                .clone();
            let raw = origin.manifest(&member.digest)?;
            let raw = checked(raw, &what, Some(&member), limits)?;
            document = Document::parse(&what, &raw.bytes, &raw.media_type)?;
            chain.push(member.digest);
            documents.push(raw);
        }
        let Document::Manifest(manifest) = document else {
            return Err(StoreError::BadManifest {
                what: format!("index of {shown}"),
                reason: "its member is an index too".to_owned(),
            });
        };
        manifest.check_image(&what)?;
        if let Some(layer) = manifest
            .layers
            .iter()
            .find(|layer| layer.size > limits.layer)
        {
            let what = format!("layer {} of {shown}", layer.digest);
            return Err(limits.exceeded(LayerLimit::CompressedSize, what));
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
        for subject in &chain {
            let mut found = signatures_of(origin.as_mut(), subject, limits)?;
            let bundles = referrer::bundles(origin.as_mut(), subject)?;
            found.bundles = bundles.found;
            notes.extend(bundles.notes);
            all_signatures.merge(SignatureSet {
                simple: found.simple.clone(),
                bundles: found.bundles.iter().map(|one| one.bundle.clone()).collect(),
            });
            match self.signatures(subject) {
                Ok(known) => all_signatures.merge(known),
                Err(error @ StoreError::Io { .. }) => return Err(error),
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
            _pin: pin,
        })
    }
}

impl Fetch {
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

    /// Compressed bytes of all layers.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.manifest
            .layers
            .iter()
            .fold(0, |sum, layer| sum.saturating_add(layer.size))
    }

    /// Fetches and unpacks the layers that are missing, then makes the image visible. It is on
    /// disk for good when this returns. Hold a [`Pin`] of your own if the image is to be used after.
    ///
    /// # Errors
    /// What went wrong first; nothing of the image is in the store then.
    pub fn complete(self, on_event: &mut dyn FnMut(FetchEvent)) -> Result<Image, StoreError> {
        commit::complete(self, on_event)
    }
}

/// Checks a document against the descriptor that named it, and its size.
pub(crate) fn checked(
    raw: RawManifest,
    what: &str,
    wanted: Option<&Descriptor>,
    limits: &Limits,
) -> Result<RawManifest, StoreError> {
    let length = raw.bytes.len() as u64;
    if length > limits.manifest {
        return Err(StoreError::LimitExceeded {
            what: format!("{what} ({length} bytes)"),
            limit: format!("{} bytes", limits.manifest),
        });
    }
    let found = sha256(&raw.bytes);
    check_digest(what, &raw.digest, &found)?;
    if let Some(wanted) = wanted {
        check_digest(what, &wanted.digest, &found)?;
        if wanted.size != length {
            return Err(StoreError::SizeMismatch {
                what: what.to_owned(),
                expected: wanted.size,
                found: length,
            });
        }
    }
    Ok(raw)
}

fn check_digest(what: &str, expected: &Digest, found: &Digest) -> Result<(), StoreError> {
    if expected == found {
        return Ok(());
    }
    Err(StoreError::DigestMismatch {
        what: what.to_owned(),
        expected: expected.to_string(),
        found: found.to_string(),
    })
}

/// Reads a blob into memory and proves it.
pub(crate) fn small_blob(
    origin: &mut dyn Origin,
    descriptor: &Descriptor,
    what: &str,
    limit: u64,
) -> Result<Vec<u8>, StoreError> {
    if descriptor.size > limit {
        return Err(StoreError::LimitExceeded {
            what: format!("{what} ({} bytes)", descriptor.size),
            limit: format!("{limit} bytes"),
        });
    }
    let mut bytes = Vec::new();
    origin
        .blob(&descriptor.digest, descriptor.size)?
        .take(descriptor.size + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| StoreError::from_source(what, error))?;
    let length = bytes.len() as u64;
    if length < descriptor.size {
        return Err(StoreError::Truncated {
            what: what.to_owned(),
        });
    }
    if length > descriptor.size {
        return Err(StoreError::SizeMismatch {
            what: what.to_owned(),
            expected: descriptor.size,
            found: length,
        });
    }
    check_digest(what, &descriptor.digest, &sha256(&bytes))?;
    Ok(bytes)
}

/// The signatures in cosign's tag format that the origin has for one manifest or index.
pub(crate) fn signatures_of(
    origin: &mut dyn Origin,
    subject: &Digest,
    limits: &Limits,
) -> Result<Found, StoreError> {
    let mut found = Found::default();
    let Some(raw) = origin.signature_manifest(subject)? else {
        return Ok(found);
    };
    let what = format!("signatures of {subject}");
    let raw = checked(raw, &what, None, limits)?;
    let Document::Manifest(manifest) = Document::parse(&what, &raw.bytes, &raw.media_type)? else {
        return Err(StoreError::BadManifest {
            what,
            reason: "it is an index".to_owned(),
        });
    };
    for (layer, signature) in signed_layers(&manifest) {
        let payload = small_blob(origin, &layer, &what, MAX_PAYLOAD)?;
        found.simple.push(Signature { payload, signature });
    }
    // Kept as it is, with its certificates and whatever else, where all of it can be kept.
    if found.simple.len() == manifest.layers.len() && manifest.config.size <= MAX_PAYLOAD {
        let config = small_blob(origin, &manifest.config, &what, MAX_PAYLOAD)?;
        found.manifest = Some((raw.bytes, config));
    }
    Ok(found)
}

/// The name for the store: as asked for, else as the source has it, else one made of its path.
fn name(
    source: &ImageSource,
    options: &FetchOptions,
    origin: &dyn Origin,
) -> Result<Reference, StoreError> {
    if let Some(name) = &options.name {
        return Ok(name.clone());
    }
    if let ImageSource::Registry(reference) = source {
        return Ok(reference.clone());
    }
    if let Some(name) = origin.name() {
        return Ok(name);
    }
    let (path, tag) = match source {
        ImageSource::Registry(reference) => return Ok(reference.clone()),
        ImageSource::Layout { path, tag } | ImageSource::OciArchive { path, tag } => (path, tag),
        ImageSource::DockerArchive { path, .. }
        | ImageSource::Aci { path }
        | ImageSource::Root { path } => (path, &None),
    };
    let stem = path
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .to_lowercase();
    let mut stem: String = stem
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    stem.truncate(100);
    let stem = match stem.trim_matches('-') {
        "" => "image",
        stem => stem,
    };
    let tagged = tag.as_deref().unwrap_or("latest");
    let name = Reference::parse(&format!("localhost/{stem}"))?;
    Ok(name.at_tag(tagged).unwrap_or(name))
}
