//! Mending what an image has of damage in the store, from the kept blobs or from where it comes from.

use image_name::Reference;
use image_store::{Cure, Depth, Health, Image, ImageReport, Layer, RefRecord, Store};
use trust::{Integrity, VerifiedImage};

use super::collection::wait_for_store;
use super::in_use::layers_of_running_pods;
use super::registries;
use crate::engine::Engine;
use crate::error::Error;
use crate::observer::Observer;

/// Makes the layers of an image anew that are not as they were unpacked: those of which a start has said so, and those that
/// a look at each inode finds. Every byte that comes is compared with the digests that were judged. Gives whether there was
/// anything to mend. Hold no pin meanwhile.
///
/// # Errors
/// [`Error::NotMended`], such as where a pod runs with a layer; or what keeps it from being looked at.
pub fn mend(
    engine: &Engine,
    image: &Image,
    proof: &VerifiedImage,
    name: &Reference,
    observer: &dyn Observer,
) -> Result<bool, Error> {
    let store = engine.store();
    if proof.integrity() == Integrity::Off || is_sound(&store, image.layers())? {
        return Ok(false);
    }
    let top = image.chain().first().unwrap_or(image.manifest_digest());
    // What is missing comes from where the image was asked for, whatever it was once made of.
    let record = RefRecord {
        reference: name.clone(),
        digest: top.clone(),
        manifest: image.manifest_digest().clone(),
        fetched_at: 0,
        source: name.at_digest(top).to_string(),
        used_at: 0,
    };
    let mut audit = store.audit(&registries::fetch_options(engine)?, Cure::Repair)?;
    {
        let _pin = store.pin()?;
        audit.images(std::slice::from_ref(&record))?;
    }
    if audit.has_replacements() {
        let alone = wait_for_store(&store, observer)?;
        // Another may have been faster, and a pod may run with what that one has made.
        if is_sound(&store, image.layers())? {
            return Ok(true);
        }
        audit.replace(&layers_of_running_pods(engine)?, &alone)?;
    }
    let not_mended = |reason| Error::NotMended {
        reference: name.to_string(),
        reason,
    };
    let reports = audit.reports();
    if let Some(damaged) = reports.iter().find(|one| one.health == Health::Damaged) {
        return Err(not_mended(last_word(damaged)));
    }
    let checked = store.check_layers(image.layers(), Depth::Inodes);
    checked.map_err(|error| not_mended(error.to_string()))?;
    Ok(true)
}

/// Whether nothing is known against any of these layers.
fn is_sound(store: &Store, layers: &[Layer]) -> Result<bool, Error> {
    let mut layers_noted = layers.iter();
    if layers_noted.any(|layer| store.is_noted_as_damaged(&layer.diff_id)) {
        return Ok(false);
    }
    match store.check_layers(layers, Depth::Inodes) {
        Ok(()) => Ok(true),
        // Whatever it is that can't be read: every byte is looked at.
        Err(_) => Ok(false),
    }
}

/// What was found last is why it could not be mended.
fn last_word(report: &ImageReport) -> String {
    let last = report.problems.last();
    last.map_or_else(String::new, |last| {
        format!("{} {}", last.object, last.problem)
    })
}
