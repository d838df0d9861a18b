//! Pulling images.

use std::time::{SystemTime, UNIX_EPOCH};

use engine::Engine;
use engine::images::choice::first_in_store;
use engine::images::fetch::{Fetched, TakenName, fetch_first};
use engine::images::mend::mend;
use engine::images::registries::{self, Candidate};
use engine::images::unchanged::unchanged;
use engine::observer::{Observer, Transfer, Warning};
use engine::policy::verifier::Verifier;
use image_name::Reference;
use image_registry::RegistryError;
use image_store::{Image, ImageSource, Interrupt, RefRecord, StoreError};

use super::auth::login;
use super::resolve::resolve;
use crate::api::{PullImageRequest, PullImageResponse};
use crate::error::CriError;
use crate::handlers;
use crate::journal::Journal;
use crate::shim::Shim;

/// Brings an image into the store, if the policy lets it run, and gives its id. The registry is asked in any case: kubelets
/// want to know whether what they show opens it.
pub(crate) fn pull(
    shim: &Shim,
    request: PullImageRequest,
    interrupt: &Interrupt,
) -> Result<PullImageResponse, CriError> {
    let spec = request.image.unwrap_or_default();
    let text = spec.image.as_str();
    if text.is_empty() {
        return Err(CriError::missing("image.image"));
    }
    // An image is the same whoever runs it.
    handlers::isolator(shim, &spec.runtime_handler).map_err(|error| error.below("image"))?;
    let metadata = request.sandbox_config.as_ref();
    let metadata = metadata.and_then(|config| config.metadata.as_ref());
    let mut engine = shim.engine_for(metadata);
    let names = match names(shim, text)? {
        Names::OfRegistries(names) => names,
        // Nothing is to come, but whether it may run is told all the same.
        Names::OfThisMachine => {
            let image = resolve(shim, &spec)?.permitted(&engine).map_err(told)?;
            return Ok(response(image.id));
        }
    };
    let mut logins = Vec::new();
    for name in &names {
        logins.extend(login(request.auth.as_ref(), name)?);
    }
    engine.registries = engine.registries.with_logins(logins);
    let observer = Pull {
        interrupt: interrupt.clone(),
    };
    let pulled = bring(&engine, text, &names, &observer);
    pulled.map(response).map_err(told)
}

fn response(image_ref: String) -> PullImageResponse {
    PullImageResponse { image_ref }
}

/// What a text may stand for.
enum Names {
    /// Images of registries, the most wanted first.
    OfRegistries(Vec<Reference>),
    /// What the store alone may have.
    OfThisMachine,
}

fn names(shim: &Shim, text: &str) -> Result<Names, CriError> {
    let candidates = registries::candidates(&shim.engine, text)
        .map_err(|error| CriError::invalid("image.image", error))?;
    let mut names = Vec::with_capacity(candidates.len());
    for candidate in candidates {
        match candidate {
            Candidate::Digest(_) | Candidate::Local(_) => return Ok(Names::OfThisMachine),
            Candidate::Source(ImageSource::Registry(name)) => names.push(name),
            // Whoever makes pods has no say over files of the node.
            Candidate::Source(_) => {
                return Err(CriError::invalid(
                    "image.image",
                    format!("{text:?} is no image of a registry"),
                ));
            }
        }
    }
    Ok(Names::OfRegistries(names))
}

fn bring(
    engine: &Engine,
    text: &str,
    names: &[Reference],
    observer: &Pull,
) -> Result<String, engine::Error> {
    let verifier = Verifier::new(engine, observer)?;
    // Where several could be meant, the one that is here is asked for first.
    let candidates: Vec<_> = names
        .iter()
        .map(|name| Candidate::Source(ImageSource::Registry(name.clone())))
        .collect();
    if let Some(known) = first_in_store(engine, &candidates).ok().flatten()
        && names.contains(&known.reference)
        && let Some((image, proof)) = unchanged(engine, &verifier, &known.reference)?
    {
        known_is_used(engine, &known);
        mend(engine, &image, &proof, &known.reference, observer)?;
        keep_by_digest(engine, &known.reference, &image)?;
        return Ok(image.config_digest().to_string());
    }
    let sources: Vec<_> = names.iter().cloned().map(ImageSource::Registry).collect();
    let taken = TakenName::Moves;
    let fetched = fetch_first(engine, &verifier, text, &sources, taken, |_| {})?;
    // Its pin is kept as long.
    keep_by_digest(engine, &fetched.reference, &fetched.image)?;
    let Fetched {
        reference,
        image,
        proof,
        pin,
    } = fetched;
    drop(pin);
    // What was here before is as it was.
    mend(engine, &image, &proof, &reference, observer)?;
    Ok(image.config_digest().to_string())
}

/// Names an image by its digest as well: when its tag moves, whoever has its id still finds it, and kubelets can have it
/// removed.
fn keep_by_digest(engine: &Engine, name: &Reference, image: &Image) -> Result<(), engine::Error> {
    if name.digest().is_some() {
        return Ok(());
    }
    let top = image.chain().first().unwrap_or(image.manifest_digest());
    let by_digest = name.at_digest(top);
    let store = engine.store();
    let _pin = store.pin()?;
    // A record that is damaged is made anew.
    if store.resolve(&by_digest).is_ok_and(|known| known.is_some()) {
        return Ok(());
    }
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = since.unwrap_or_default().as_secs();
    let record = RefRecord {
        reference: name.clone(),
        digest: top.clone(),
        manifest: image.manifest_digest().clone(),
        fetched_at: now,
        source: name.to_string(),
        used_at: now,
    };
    store.tag(&record, &by_digest)?;
    Ok(())
}

fn known_is_used(engine: &Engine, record: &RefRecord) {
    engine.store().note_use(record);
}

/// As kubelets tell failures of pulls from each other: by the first word of those without a code of their own.
fn told(error: engine::Error) -> CriError {
    let word = match &error {
        engine::Error::Refused { .. } => "SignatureValidationFailed",
        engine::Error::Store(StoreError::Registry(error)) if is_out_of_reach(error) => {
            "RegistryUnavailable"
        }
        engine::Error::Store(StoreError::UnknownImage { reference, .. }) => {
            return CriError::NotFound {
                what: "image",
                id: reference.clone(),
            };
        }
        _ => return error.into(),
    };
    CriError::Pull {
        word,
        error: Box::new(error),
    }
}

fn is_out_of_reach(error: &RegistryError) -> bool {
    match error {
        RegistryError::NoMirror { error, .. } => is_out_of_reach(error),
        RegistryError::Network { .. } => true,
        _ => false,
    }
}

/// Goes along with a pull.
struct Pull {
    interrupt: Interrupt,
}

impl Observer for Pull {
    fn warning(&self, warning: Warning) {
        Journal.warning(warning);
    }

    fn fetch(&self) -> Result<Box<dyn Transfer>, engine::error::CallerError> {
        Ok(Box::new(Stoppable(self.interrupt.clone())))
    }
}

struct Stoppable(Interrupt);

impl Transfer for Stoppable {
    fn interrupt(&self) -> Interrupt {
        self.0.clone()
    }
}
