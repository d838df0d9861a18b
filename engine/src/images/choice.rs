//! From what a person typed for an image to one that is in the store.

use std::collections::BTreeMap;

use image_name::{Digest, Reference};
use image_registry::RegistryError;
use image_store::{FetchOptions, ImageSource, Pin, RefRecord, Store, StoreError};

use super::fetch::{self, TakenName};
use super::registries::{self, Candidate};
use crate::engine::Engine;
use crate::error::Error;
use crate::observer::{Observer, Warning};
use crate::policy::names;
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

impl Pull {
    /// When an image of this name is fetched if nothing is said, as users of Kubernetes expect it: one whose name stands for
    /// whatever is the latest, each time; but what the store has does where the registry has none for us.
    #[must_use]
    pub fn usual_of(text: &str) -> Self {
        let last = text.rsplit('/').next().unwrap_or(text);
        let is_pinned = text.contains('@');
        let tag = last.split_once(':').map_or("latest", |(_, tag)| tag);
        match tag == "latest" && !is_pinned {
            true => Self::Newer,
            false => Self::Missing,
        }
    }
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

/// The images that something is to be made of, by what was typed for them. None is collected while this is kept, or the
/// pin that it leaves.
#[derive(Debug)]
pub struct Chosen {
    choices: BTreeMap<String, Choice>,
    pin: Pin,
}

impl Chosen {
    /// Finds all of these in the store, and fetches each once where that is said of it first. While one is fetched nothing is
    /// pinned, so that who collects waits for no registry; the others are held one by one.
    ///
    /// # Errors
    /// [`Error::NotInStore`] if one may not be fetched, or what goes wrong with the fetch.
    pub fn all<'t>(
        engine: &Engine,
        verifier: &Verifier<'_>,
        wanted: impl IntoIterator<Item = (&'t str, Pull)>,
    ) -> Result<Self, Error> {
        let store = engine.store();
        let mut pin = store.pin()?;
        let mut holds = Vec::new();
        let mut choices = BTreeMap::new();
        for (text, pull) in wanted {
            if choices.contains_key(text) {
                continue;
            }
            let choice = match find(engine, verifier, text, pull)? {
                Found::InStore(record) => Choice::from(record),
                Found::ToFetch { sources, kept } => {
                    let tops = choices.values().map(|choice: &Choice| &choice.top);
                    let of_kept = kept.iter().map(|record| &record.digest);
                    // Each is for all that the one before was for, too.
                    holds.push(store.hold(tops.chain(of_kept), &pin)?);
                    drop(pin);
                    let stays = TakenName::Stays;
                    // There is something else to run, and a command that waits to.
                    let change = |options: &mut FetchOptions| {
                        if kept.is_some() {
                            options.registries = options.registries.clone().impatient();
                        }
                    };
                    match fetch::fetch_first(engine, verifier, text, &sources, stays, change) {
                        Ok(fetched) => {
                            pin = fetched.pin;
                            let top = fetched.image.chain().first();
                            Choice {
                                top: top.unwrap_or(fetched.image.manifest_digest()).clone(),
                                reference: fetched.reference,
                                record: None,
                            }
                        }
                        Err(error) => {
                            pin = store.pin()?;
                            fall_back(kept, error, verifier.observer())?.into()
                        }
                    }
                }
            };
            choices.insert(text.to_owned(), choice);
        }
        Ok(Self { choices, pin })
    }

    /// What was chosen for a text.
    ///
    /// # Errors
    /// [`Error::NotInStore`] for one that was not asked for.
    pub fn of(&self, text: &str) -> Result<&Choice, Error> {
        let choice = self.choices.get(text);
        choice.ok_or_else(|| Error::NotInStore {
            reference: text.to_owned(),
        })
    }

    /// Notes that all of them are used.
    pub fn note_use(&self, engine: &Engine) {
        for choice in self.choices.values() {
            choice.note_use(engine);
        }
    }

    /// What keeps them.
    pub fn into_pin(self) -> Pin {
        self.pin
    }
}

/// Where an image is.
enum Found {
    /// Here, and that is good enough.
    InStore(RefRecord),
    /// Elsewhere.
    ToFetch {
        /// The first of these that has it.
        sources: Vec<ImageSource>,
        /// What the store has, for the case that none can be reached.
        kept: Option<RefRecord>,
    },
}

fn find(engine: &Engine, verifier: &Verifier<'_>, text: &str, pull: Pull) -> Result<Found, Error> {
    let candidates = registries::candidates(engine, text)?;
    let store = engine.store();
    let mut sources = Vec::with_capacity(candidates.len());
    let mut kept = None;
    for candidate in candidates {
        let is_asked_for = matches!(pull, Pull::Always | Pull::Newer) && !candidate.is_of_store();
        if (!is_asked_for || (pull == Pull::Newer && kept.is_none()))
            && let Some(record) = candidate.in_store(&store)?
        {
            if !is_asked_for {
                return permitted(&store, verifier, &candidate, record).map(Found::InStore);
            }
            kept = Some(record);
        }
        sources.extend(candidate.into_source());
    }
    if pull == Pull::Never || sources.is_empty() {
        return Err(Error::NotInStore {
            reference: text.to_owned(),
        });
    }
    Ok(Found::ToFetch { sources, kept })
}

/// Of an image that is asked for by its digest alone, the first name by which the policy lets it run.
fn permitted(
    store: &Store,
    verifier: &Verifier<'_>,
    candidate: &Candidate,
    found: RefRecord,
) -> Result<RefRecord, Error> {
    let Candidate::Digest(digest) = candidate else {
        return Ok(found);
    };
    let names = store.find_all(digest)?;
    match names.len() {
        // It is judged when it starts.
        0 | 1 => Ok(found),
        _ => names::first_permitted(verifier, None, &names::in_order(names)),
    }
}

/// What the store has of an image that was to be fetched, if it is there and the registry had none for us: then that is
/// told and stops nothing.
///
/// # Errors
/// `error` in every other case.
pub fn fall_back(
    kept: Option<RefRecord>,
    error: Error,
    observer: &dyn Observer,
) -> Result<RefRecord, Error> {
    match kept {
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
