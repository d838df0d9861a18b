//! What the configuration says of registries, and what short names mean by it. Nothing of it is read
//! for an image of the store that is called by its name in full.

use image_name::Reference;
use image_registry::{ConfigFolders, Registries, RegistryError};
use image_store::{FetchOptions, ImageArgument, ImageSource, RefRecord, Store, StoreError};
use pod::manifest::InsecureOption;

use crate::engine::Engine;
use crate::error::Error;

/// The configuration of registries.
///
/// # Errors
/// If a file can't be read or understood.
pub fn load(engine: &Engine) -> Result<Registries, Error> {
    let folders = ConfigFolders {
        local: engine.directories.local_config.clone(),
        system: engine.directories.system_config.clone(),
    };
    let registries = Registries::load(&folders, engine.registries.clone())?;
    Ok(registries.relaxed(
        engine.gives_up(InsecureOption::Http),
        engine.gives_up(InsecureOption::Tls),
    ))
}

/// How to fetch, by the configuration.
///
/// # Errors
/// As [`load`].
pub fn fetch_options(engine: &Engine) -> Result<FetchOptions, Error> {
    Ok(FetchOptions {
        registries: load(engine)?,
        ..FetchOptions::default()
    })
}

/// What may be meant by what a person typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Candidate {
    /// An image of the store by its digest, or the beginning of that. It tells no registry.
    Digest(String),
    /// A name of this machine, which no registry has: `localhost/NAME`.
    Local(Reference),
    /// An image by its name in full, or the place that it is to be taken from.
    Source(ImageSource),
}

impl Candidate {
    /// The name, where it is one.
    #[must_use]
    pub fn reference(&self) -> Option<&Reference> {
        match self {
            Self::Digest(_) => None,
            Self::Local(reference) => Some(reference),
            Self::Source(source) => source.reference(),
        }
    }

    /// Whether the store alone may have it.
    #[must_use]
    pub fn is_of_store(&self) -> bool {
        !matches!(self, Self::Source(_))
    }

    /// Where it is to be taken from, if it is not of the store alone.
    #[must_use]
    pub fn into_source(self) -> Option<ImageSource> {
        match self {
            Self::Digest(_) | Self::Local(_) => None,
            Self::Source(source) => Some(source),
        }
    }

    /// What the store has by this name or digest.
    ///
    /// # Errors
    /// If a record is damaged, or a digest fits several images.
    pub fn in_store(&self, store: &Store) -> Result<Option<RefRecord>, StoreError> {
        match (self, self.reference()) {
            (Self::Digest(digest), _) => store.find(digest),
            (_, Some(reference)) => match store.resolve(reference)? {
                None => store.find_in_repository(reference),
                known => Ok(known),
            },
            (Self::Source(_) | Self::Local(_), None) => Ok(None),
        }
    }
}

/// What `text` may stand for, the most wanted first: itself, unless it is a short name. Of the
/// images that a short name may mean, those in the store come first, then an image whose digest
/// begins like that. Several are left only where the configuration lets the first found decide;
/// one is there at least.
///
/// # Errors
/// What is wrong with the text; [`RegistryError::AmbiguousShortName`]; as [`load`].
pub fn candidates(engine: &Engine, text: &str) -> Result<Vec<Candidate>, Error> {
    let argument = ImageArgument::parse(text)?;
    let name = match &argument {
        ImageArgument::Digest(digest) => return Ok(vec![Candidate::Digest(digest.clone())]),
        // A registry of this machine has a port, or is said to be one: `docker://localhost/NAME`.
        ImageArgument::Source(ImageSource::Registry(name))
            if name.registry() == "localhost" && !text.contains("://") =>
        {
            return Ok(vec![Candidate::Local(name.clone())]);
        }
        ImageArgument::Source(source) => return Ok(vec![Candidate::Source(source.clone())]),
        ImageArgument::ShortName(name) => name,
    };
    let registries = load(engine)?;
    let all = registries.candidates(name)?;
    let store = engine.store();
    // A local name is of this machine, whatever registries there are.
    if let Ok(local) = Reference::parse(&format!("localhost/{text}"))
        && store.resolve(&local)?.is_some()
    {
        return Ok(vec![Candidate::Local(local)]);
    }
    let mut known = Vec::new();
    for candidate in &all {
        if store.resolve(candidate)?.is_some() {
            known.push(candidate.clone());
        }
    }
    if known.is_empty()
        && let Some(digest) = argument.as_digest()
        && store.find(&digest)?.is_some()
    {
        return Ok(vec![Candidate::Digest(digest)]);
    }
    let wanted = if known.is_empty() { all } else { known };
    if wanted.len() > 1 && !registries.takes_first_found() {
        return Err(RegistryError::AmbiguousShortName {
            name: text.to_owned(),
            candidates: wanted.iter().map(ToString::to_string).collect(),
        }
        .into());
    }
    let sources = wanted.into_iter().map(ImageSource::Registry);
    Ok(sources.map(Candidate::Source).collect())
}

/// As [`candidates`], where the first will do.
///
/// # Errors
/// As [`candidates`].
pub fn candidate(engine: &Engine, text: &str) -> Result<Candidate, Error> {
    let first = candidates(engine, text)?.into_iter().next();
    first.ok_or_else(|| Error::NotInStore {
        reference: text.to_owned(),
    })
}
