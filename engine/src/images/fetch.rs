//! Fetching an image, judged before its layers are transferred.

use std::path::Path;

use image_name::{Digest, Reference};
use image_registry::RegistryError;
use image_store::{
    Fetch, FetchOptions, Image, ImageArgument, ImageSource, Pin, StoreError, WantedBundles,
};
use trust::{Basis, VerifiedImage};

use super::registries;
use crate::config::files::Config;
use crate::engine::Engine;
use crate::error::Error;
use crate::observer::Warning;
use crate::policy::verifier::Verifier;
use crate::selinux;

/// An image that has been fetched. It still has to be judged at each start.
#[derive(Debug)]
pub struct Fetched {
    /// The name under which it is in the store.
    pub reference: Reference,
    /// The image.
    pub image: Image,
    /// Why it could be fetched.
    pub proof: VerifiedImage,
    /// While this is kept, so is the image.
    pub pin: Pin,
}

/// What becomes of a name that stands for another image in the store, where nobody vouches for the new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TakenName {
    /// It moves to the new one, and this is told.
    Moves,
    /// It stays where the new one comes from a file or directory, whose name may be anybody's: that one is in the store
    /// by its digest.
    Stays,
    /// It stays, and that is what is wanted: the image is in the store by its digest.
    ByDigest,
}

/// Fetches an image, under another name if one is given. Hold no pin meanwhile: a registry may be slow for as long as it
/// likes, and whoever collects waits for pins.
///
/// # Errors
/// [`Error::Refused`] before any layer is transferred, or what went wrong with the transfer.
pub fn fetch(
    engine: &Engine,
    verifier: &Verifier<'_>,
    source: &ImageSource,
    name: Option<Reference>,
) -> Result<Fetched, Error> {
    import(engine, verifier, source, |options| options.name = name)
}

/// As [`fetch`], with options changed.
///
/// # Errors
/// As [`fetch`].
pub fn import(
    engine: &Engine,
    verifier: &Verifier<'_>,
    source: &ImageSource,
    change: impl FnOnce(&mut FetchOptions),
) -> Result<Fetched, Error> {
    bring(engine, verifier, source, TakenName::Moves, change)
}

fn bring(
    engine: &Engine,
    verifier: &Verifier<'_>,
    source: &ImageSource,
    taken: TakenName,
    change: impl FnOnce(&mut FetchOptions),
) -> Result<Fetched, Error> {
    let config = Config::read(&engine.directories)?;
    let mut options = options(engine, verifier, source, &config, change)?;
    selinux::label_store(&config, &engine.directories.images())?;
    let observer = verifier.observer();
    let mut transfer = observer.fetch().map_err(Error::Caller)?;
    options.interrupt = transfer.interrupt();
    let mut fetch = engine.store().begin_fetch(source, &options)?;
    for note in fetch.notes() {
        observer.warning(Warning::Fetch(note.clone()));
    }
    let proof = match taken {
        TakenName::ByDigest => verifier.before_fetch(&fetch),
        TakenName::Moves | TakenName::Stays => verifier.at_fetch(&fetch),
    };
    let proof = proof.map_err(|error| error.at_place(source))?;
    let warning = taken_name(engine, &mut fetch, source, &proof, taken)?;
    let reference = fetch.reference().clone();
    transfer.begins(&reference);
    let image = fetch.complete(&mut |event| transfer.event(event));
    transfer.end().map_err(Error::Caller)?;
    let (image, pin) = image?;
    if let Some(warning) = warning {
        observer.warning(warning);
    }
    Ok(Fetched {
        reference,
        image,
        proof,
        pin,
    })
}

/// How to fetch, with options changed.
fn options(
    engine: &Engine,
    verifier: &Verifier<'_>,
    source: &ImageSource,
    config: &Config,
    change: impl FnOnce(&mut FetchOptions),
) -> Result<FetchOptions, Error> {
    let mut options = registries::fetch_options(engine)?;
    change(&mut options);
    options.limits = config.limits();
    let name = options.name.as_ref().or(source.reference());
    options.wanted = name.map_or_else(WantedBundles::default, |name| verifier.wanted_bundles(name));
    options.wanted.limits = config.bundle_limits();
    Ok(options)
}

/// What a registry has under a name today.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offered {
    /// Digest of its index if it has one, else of its manifest.
    pub top: Digest,
    /// Digest of the platform's manifest.
    pub manifest: Digest,
}

/// Asks a registry what it has under a name, and judges that as a fetch would. Nothing is fetched, and nothing remembered.
///
/// # Errors
/// What the registry says, at once; and whether what it has may be fetched: [`Error::Refused`].
pub fn offered(
    engine: &Engine,
    verifier: &Verifier<'_>,
    source: &ImageSource,
) -> Result<(Offered, Result<VerifiedImage, Error>), Error> {
    let config = Config::read(&engine.directories)?;
    let options = options(engine, verifier, source, &config, |options| {
        // There is something that runs meanwhile.
        options.registries = options.registries.clone().impatient();
    })?;
    let fetch = engine.store().begin_fetch(source, &options)?;
    let offered = Offered {
        top: fetch
            .chain()
            .first()
            .unwrap_or(fetch.manifest_digest())
            .clone(),
        manifest: fetch.manifest_digest().clone(),
    };
    let verdict = verifier.before_fetch(&fetch);
    Ok((offered, verdict.map_err(|error| error.at_place(source))))
}

/// Fetches an image that is judged by the name `name`, and has none in the store but its digest: nothing that is started
/// meanwhile runs it. How new it is, is not remembered.
///
/// # Errors
/// As [`fetch`].
pub fn fetch_by_digest(
    engine: &Engine,
    verifier: &Verifier<'_>,
    name: &Reference,
    top: &Digest,
) -> Result<Fetched, Error> {
    let source = ImageSource::Registry(name.at_digest(top));
    bring(engine, verifier, &source, TakenName::ByDigest, |options| {
        options.name = Some(name.clone());
    })
}

/// Looks whether the name stands for another image. Tags of registries move all the time, which is told only of images
/// that nobody vouches for.
fn taken_name(
    engine: &Engine,
    fetch: &mut Fetch,
    source: &ImageSource,
    proof: &VerifiedImage,
    taken: TakenName,
) -> Result<Option<Warning>, Error> {
    if taken == TakenName::ByDigest {
        fetch.name_by_digest();
        return Ok(None);
    }
    let is_waived = proof.verification().policy == Basis::Waived;
    let is_of_registry = matches!(source, ImageSource::Registry(_));
    if is_of_registry && !is_waived {
        return Ok(None);
    }
    let known = match engine.store().resolve(fetch.reference()) {
        Ok(known) => known,
        // A damaged record is made anew by this fetch.
        Err(StoreError::Damaged { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    let Some(known) = known.filter(|known| !fetch.chain().contains(&known.digest)) else {
        return Ok(None);
    };
    if is_waived && !is_of_registry && taken == TakenName::Stays {
        fetch.name_by_digest();
        return Ok(Some(Warning::NameStays {
            reference: known.reference,
            digest: known.digest,
        }));
    }
    Ok(Some(Warning::NameMoved {
        is: fetch
            .chain()
            .first()
            .unwrap_or(fetch.manifest_digest())
            .clone(),
        reference: known.reference,
        was: known.digest,
    }))
}

/// Fetches the first of these, for which `text` may stand, that there is. Where there are several, a registry that doesn't know
/// the image, or doesn't say, is no failure as long as another follows. `change` changes the options of each fetch.
///
/// # Errors
/// As [`fetch`].
pub fn fetch_first(
    engine: &Engine,
    verifier: &Verifier<'_>,
    text: &str,
    sources: &[ImageSource],
    taken: TakenName,
    change: impl Fn(&mut FetchOptions),
) -> Result<Fetched, Error> {
    refuse_file(text)?;
    let Some((last, others)) = sources.split_last() else {
        return Err(Error::NotInStore {
            reference: String::new(),
        });
    };
    for source in others {
        verifier.observer().looks_up(text, source);
        match bring(engine, verifier, source, taken, &change) {
            Err(Error::Store(
                StoreError::UnknownImage { .. }
                | StoreError::Registry(RegistryError::Unauthorized { .. }),
            )) => {}
            other => return other,
        }
    }
    verifier.observer().looks_up(text, last);
    bring(engine, verifier, last, taken, change)
}

/// Refuses what is hardly the name of an image, before a registry is asked for it.
///
/// # Errors
/// [`Error::RatherFile`].
pub(super) fn refuse_file(text: &str) -> Result<(), Error> {
    if !matches!(ImageArgument::parse(text), Ok(ImageArgument::ShortName(_)))
        || !ImageSource::is_file_name(text)
    {
        return Ok(());
    }
    Err(Error::RatherFile {
        word: text.to_owned(),
        is_there: Path::new(text).exists(),
    })
}
