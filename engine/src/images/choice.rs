//! From what a person typed for an image to one that is in the store.

use image_name::{Digest, Reference};
use image_registry::RegistryError;
use image_store::{RefRecord, StoreError};

use super::fetch::{self, TakenName};
use super::registries::{self, Candidate};
use crate::engine::Engine;
use crate::error::Error;
use crate::observer::{Observer, Warning};
use crate::policy::verifier::Verifier;

/// When to fetch an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pull {
    /// If the store has no image of that name.
    #[default]
    Missing,
    /// Each time.
    Always,
    /// Each time; where the registry has none for us, what the store has is used.
    Newer,
    /// Never: what the store has is used.
    Never,
}

/// An image of the store, by name and digest.
#[derive(Debug, Clone)]
pub struct Choice {
    /// Its name.
    pub reference: Reference,
    /// Its index or manifest.
    pub top: Digest,
    /// What the store knew of the name; `None` if it was fetched just now.
    record: Option<RefRecord>,
}

impl Choice {
    /// Notes that the image is used.
    pub fn note_use(&self, engine: &Engine) {
        if let Some(record) = &self.record {
            engine.store().note_use(record);
        }
    }
}

impl From<RefRecord> for Choice {
    fn from(record: RefRecord) -> Self {
        Self {
            reference: record.reference.clone(),
            top: record.digest.clone(),
            record: Some(record),
        }
    }
}

/// Finds an image in the store, and fetches it where `pull` says so. The caller holds a pin.
///
/// # Errors
/// [`Error::NotInStore`] if it may not be fetched, or what goes wrong with the fetch.
pub fn choose(
    engine: &Engine,
    verifier: &Verifier<'_>,
    text: &str,
    pull: Pull,
) -> Result<Choice, Error> {
    let candidates = registries::candidates(engine, text)?;
    let store = engine.store();
    let mut sources = Vec::with_capacity(candidates.len());
    let mut known = None;
    for candidate in candidates {
        let is_asked_for = matches!(pull, Pull::Always | Pull::Newer) && !candidate.is_of_store();
        if (!is_asked_for || (pull == Pull::Newer && known.is_none()))
            && let Some(record) = candidate.in_store(&store)?
        {
            if !is_asked_for {
                return Ok(record.into());
            }
            known = Some(record);
        }
        sources.extend(candidate.into_source());
    }
    if pull == Pull::Never || sources.is_empty() {
        return Err(Error::NotInStore {
            reference: text.to_owned(),
        });
    }
    let fetched = match fetch::fetch_first(engine, verifier, text, &sources, TakenName::Stays) {
        Err(error) => return Ok(kept(known, error, verifier.observer())?.into()),
        Ok(fetched) => fetched,
    };
    let top = fetched.image.chain().first();
    Ok(Choice {
        top: top.unwrap_or(fetched.image.manifest_digest()).clone(),
        reference: fetched.reference,
        record: None,
    })
}

/// What the store has of an image that was to be fetched, if it is there and the registry had none for us: then that is
/// told and stops nothing.
///
/// # Errors
/// `error` in every other case.
pub fn kept(
    known: Option<RefRecord>,
    error: Error,
    observer: &dyn Observer,
) -> Result<RefRecord, Error> {
    match known {
        Some(record) if is_out_of_reach(&error) => {
            observer.warning(Warning::NotRefreshed {
                reference: record.reference.clone(),
                error,
            });
            Ok(record)
        }
        _ => Err(error),
    }
}

/// Whether a registry didn't answer, or had no image for us. What is wrong with an image that it did have is another matter.
fn is_out_of_reach(error: &Error) -> bool {
    fn of_registry(error: &RegistryError) -> bool {
        match error {
            RegistryError::NoMirror { error, .. } => of_registry(error),
            RegistryError::UnknownImage { .. }
            | RegistryError::Status { .. }
            | RegistryError::Unauthorized { .. }
            | RegistryError::RateLimited { .. }
            | RegistryError::Network { .. } => true,
            _ => false,
        }
    }
    match error {
        Error::Store(StoreError::UnknownImage { .. }) => true,
        Error::Store(StoreError::Registry(error)) => of_registry(error),
        _ => false,
    }
}

/// Finds an image in the store by name or by the beginning of its digest.
///
/// # Errors
/// [`Error::NotInStore`].
pub fn in_store(engine: &Engine, text: &str) -> Result<Choice, Error> {
    record(engine, text).map(Choice::from)
}

/// The first of these that the store has.
///
/// # Errors
/// As [`Candidate::in_store`].
pub fn first_in_store(
    engine: &Engine,
    candidates: &[Candidate],
) -> Result<Option<RefRecord>, Error> {
    let store = engine.store();
    for candidate in candidates {
        if let Some(record) = candidate.in_store(&store)? {
            return Ok(Some(record));
        }
    }
    Ok(None)
}

/// As [`in_store`], with all that the store knows of the name.
///
/// # Errors
/// [`Error::NotInStore`].
pub fn record(engine: &Engine, text: &str) -> Result<RefRecord, Error> {
    let candidates = registries::candidates(engine, text)?;
    first_in_store(engine, &candidates)?.ok_or_else(|| Error::NotInStore {
        reference: text.to_owned(),
    })
}
