//! What an image is, before anybody trusts it: for whoever has to decide whether to.

use image_document::Platform;
use image_name::{Digest, Reference};
use image_registry::RegistryError;
use image_store::StoreError;
use oci_spec::image::ImageConfiguration;

use super::fetch::refuse_file;
use super::registries::{self, Candidate};
use crate::engine::Engine;
use crate::error::Error;

/// What can be told of an image without its layers. Its documents were checked by digest, nothing of
/// it was verified.
#[derive(Debug, Clone)]
pub struct ImageFacts {
    /// Its name.
    pub reference: Reference,
    /// What names it: its index if it has one, else its manifest.
    pub top: Digest,
    /// Its configuration.
    pub config: Digest,
    /// When it was made, by its own word.
    pub created: Option<String>,
    /// Compressed bytes of its layers.
    pub size: u64,
    /// How many layers it has.
    pub layers: usize,
    /// How many signatures and attestations are known, by whomever.
    pub signatures: usize,
    /// Whether the store has it; else its origin was asked.
    pub in_store: bool,
}

/// Looks an image up in the store, else where its name says. Nothing is written.
///
/// # Errors
/// [`Error::NotInStore`] for a digest that the store doesn't have; else what the store or the origin
/// says.
pub fn look_up(engine: &Engine, text: &str) -> Result<ImageFacts, Error> {
    let candidates = registries::candidates(engine, text)?;
    let store = engine.store();
    let mut answer = Err(Error::NotInStore {
        reference: text.to_owned(),
    });
    for candidate in candidates {
        if let Some(record) = candidate.in_store(&store)? {
            let image = store.image(&record.digest, &Platform::host())?;
            let mut signatures = 0;
            for digest in image.chain() {
                signatures += store.signatures(digest)?.len();
            }
            return Ok(ImageFacts {
                reference: record.reference,
                top: record.digest,
                config: image.config_digest().clone(),
                created: created(image.config()),
                size: image.size(),
                layers: image.layers().len(),
                signatures,
                in_store: true,
            });
        }
        answer = of_origin(engine, candidate, text);
        match &answer {
            // A short name may mean an image of the next registry.
            Err(Error::Store(
                StoreError::UnknownImage { .. }
                | StoreError::Registry(RegistryError::Unauthorized { .. }),
            )) => {}
            _ => break,
        }
    }
    answer
}

fn of_origin(engine: &Engine, candidate: Candidate, text: &str) -> Result<ImageFacts, Error> {
    refuse_file(text)?;
    let Some(source) = candidate.into_source() else {
        return Err(Error::NotInStore {
            reference: text.to_owned(),
        });
    };
    let options = registries::fetch_options(engine)?;
    let fetch = engine.store().begin_fetch(&source, &options)?;
    Ok(ImageFacts {
        reference: fetch.reference().clone(),
        top: fetch
            .chain()
            .first()
            .unwrap_or(fetch.manifest_digest())
            .clone(),
        config: fetch.config_digest().clone(),
        created: created(fetch.config()),
        size: fetch.size(),
        layers: fetch.layers(),
        signatures: fetch.signatures().len(),
        in_store: false,
    })
}

fn created(config: &ImageConfiguration) -> Option<String> {
    config.created().clone()
}
