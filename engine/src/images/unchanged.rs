//! Whether a registry still has what the store has: asked for by one request.

use image_name::Reference;
use image_registry::RegistryError;
use image_store::Image;
use trust::VerifiedImage;

use super::registries;
use crate::engine::Engine;
use crate::error::Error;
use crate::policy::verifier::Verifier;

/// The image that the store has by this very name, if the registry says that it is what the name stands for, gives it to us,
/// and the policy lets it run. `None` where a fetch has to tell.
///
/// # Errors
/// What a fetch would fail of as well: the registry can't be reached, has no such image, or has none for us.
pub fn unchanged(
    engine: &Engine,
    verifier: &Verifier<'_>,
    name: &Reference,
) -> Result<Option<(Image, VerifiedImage)>, Error> {
    let Ok(Some(known)) = engine.store().resolve(name) else {
        return Ok(None);
    };
    let options = registries::fetch_options(engine)?;
    let told = match image_registry::ask(name, &options.registries) {
        Ok(told) => told,
        Err(error) if is_last_word(&error) => return Err(error.into()),
        // It may answer what others ask.
        Err(_) => return Ok(None),
    };
    if told.is_none_or(|digest| digest != known.digest) {
        return Ok(None);
    }
    // Signed anew, or to be unpacked again: a fetch sees to that.
    let judged = verifier.in_store(&known.reference, &known.digest);
    Ok(judged.ok())
}

fn is_last_word(error: &RegistryError) -> bool {
    match error {
        RegistryError::NoMirror { error, .. } => is_last_word(error),
        RegistryError::UnknownImage { .. }
        | RegistryError::Unauthorized { .. }
        | RegistryError::RateLimited { .. }
        | RegistryError::Network { .. } => true,
        _ => false,
    }
}
