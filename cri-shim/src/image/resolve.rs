//! Which image a request means that makes something of it, and by which of its names the policy lets it run.

use engine::Engine;
use engine::policy::names::{first_permitted, in_order};
use engine::policy::verifier::Verifier;
use image_store::{Image, RefRecord};

use super::find::{by_name, find};
use super::seen::load;
use crate::api::ImageSpec;
use crate::error::CriError;
use crate::handlers;
use crate::journal::Journal;
use crate::shim::Shim;

/// An image of the store.
#[derive(Debug, Clone)]
pub(crate) struct Resolved {
    /// Its id.
    pub(crate) id: String,
    /// The name by which it is judged.
    pub(crate) name: RefRecord,
    /// What it says of itself.
    pub(crate) image: Image,
    /// The name that the user has given, if it is the image's.
    asked: Option<RefRecord>,
    /// Names by which it may run as well; none if it was asked for by its name.
    others: Vec<RefRecord>,
}

impl Resolved {
    /// What names exactly this image to the engine, whatever becomes of a tag meanwhile.
    pub(crate) fn text(&self) -> String {
        let RefRecord {
            reference, digest, ..
        } = &self.name;
        match reference.digest() {
            Some(_) => reference.to_string(),
            None => format!("{reference}@{digest}"),
        }
    }

    /// Its repository and digest.
    pub(crate) fn image_ref(&self) -> String {
        self.name.reference.at_digest(&self.name.digest).to_string()
    }

    /// The same image by the first of its names by which the policy lets it run.
    ///
    /// # Errors
    /// [`engine::Error::Refused`] if there is none.
    pub(crate) fn permitted(&self, engine: &Engine) -> Result<Self, engine::Error> {
        let verifier = Verifier::new(engine, &Journal)?;
        let _pin = engine.store().pin()?;
        let name = first_permitted(&verifier, self.asked.as_ref(), &self.others)?;
        Ok(Self {
            name,
            ..self.clone()
        })
    }
}

/// The image of the store that a request means, by its id, a tag or a digest, by the name that is tried first.
///
/// # Errors
/// [`CriError::NotFound`]; [`CriError::Invalid`] if nothing is said, or what can't be a name.
pub(crate) fn resolve(shim: &Shim, spec: &ImageSpec) -> Result<Resolved, CriError> {
    let text = spec.image.as_str();
    if text.is_empty() {
        return Err(CriError::missing("image.image"));
    }
    handlers::isolator(shim, &spec.runtime_handler).map_err(|error| error.below("image"))?;
    let store = shim.engine.store();
    let not_found = || CriError::NotFound {
        what: "image",
        id: text.to_owned(),
    };
    if let Some(name) = by_name(shim, text)? {
        // Two names for one: the user's counts first.
        let users = users_name(shim, spec).filter(|users| users.digest == name.digest);
        let image = load(&store, &name).ok_or_else(not_found)?;
        let others = users.iter().map(|_| name.clone()).collect();
        return Ok(resolved(image, users.unwrap_or(name), others, true));
    }
    let stored = find(shim, text)?.ok_or_else(not_found)?;
    let image = stored.image(&store).ok_or_else(not_found)?;
    let users = users_name(shim, spec).filter(|users| {
        let mut names = stored.names.iter();
        names.any(|name| name.reference == users.reference && name.digest == users.digest)
    });
    let mut others = in_order(stored.names);
    others.retain(|name| {
        users
            .as_ref()
            .is_none_or(|users| users.reference != name.reference)
    });
    let is_asked = users.is_some();
    let first = users.or_else(|| others.first().cloned());
    let first = first.ok_or_else(not_found)?;
    Ok(resolved(image, first, others, is_asked))
}

fn resolved(image: Image, name: RefRecord, others: Vec<RefRecord>, is_asked: bool) -> Resolved {
    Resolved {
        id: image.config_digest().to_string(),
        asked: is_asked.then(|| name.clone()),
        name,
        image,
        others,
    }
}

/// What the store has by the name that the user has given. One that says nothing here is no failure: the id counts.
fn users_name(shim: &Shim, spec: &ImageSpec) -> Option<RefRecord> {
    match spec.user_specified_image.as_str() {
        "" => None,
        name => by_name(shim, name).ok().flatten(),
    }
}
