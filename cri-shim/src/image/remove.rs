//! Removing images.

use engine::images::in_use::images_in_use;
use image_store::RefRecord;

use super::find::{by_name, find};
use crate::api::{RemoveImageRequest, RemoveImageResponse};
use crate::error::CriError;
use crate::shim::Shim;

/// Removes an image with all of its names, by any of them. One that is gone is as wanted. What containers use of it stays
/// on the disk as long as they do.
///
/// # Errors
/// [`CriError::State`] if a pod that is no sandbox needs it: kubelets know nothing of that one.
pub(crate) fn remove(
    shim: &Shim,
    request: RemoveImageRequest,
) -> Result<RemoveImageResponse, CriError> {
    let spec = request.image.unwrap_or_default();
    if spec.image.is_empty() {
        return Err(CriError::missing("image.image"));
    }
    let names = match find(shim, &spec.image)? {
        Some(stored) => stored.names,
        // Damaged: it has this name, if nothing else.
        None => by_name(shim, &spec.image)?.into_iter().collect(),
    };
    refuse_if_in_use(shim, &spec.image, &names)?;
    let store = shim.engine.store();
    for name in &names {
        store.remove(&name.reference).map_err(engine::Error::from)?;
    }
    if !names.is_empty() {
        shim.collector.ask(&shim.engine);
    }
    Ok(RemoveImageResponse {})
}

/// The names go without a lock on the store: who begins to use the image meanwhile keeps what is needed of it.
fn refuse_if_in_use(shim: &Shim, text: &str, names: &[RefRecord]) -> Result<(), CriError> {
    if names.is_empty() {
        return Ok(());
    }
    // One that can't be read hinders no kubelet: nothing is taken from the disk while there is one.
    let in_use = images_in_use(&shim.engine)?.known;
    let pod = in_use.uses.into_iter().find(|used| {
        let mut names = names.iter();
        !used.is_sandbox && names.any(|name| name.manifest == used.manifest)
    });
    match pod {
        None => Ok(()),
        Some(pod) => Err(CriError::State {
            what: "image",
            id: text.to_owned(),
            reason: format!(
                "is in use by pod {pod}, which is no sandbox: stop or remove that one on the node first, or name the image \
                 in pinned-images"
            ),
        }),
    }
}
