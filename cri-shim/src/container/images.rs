//! Images whose files a container mounts.

use std::path::PathBuf;

use engine::pods::spec::AppSpec;
use image_store::tree::look_up;

use crate::api::Mount;
use crate::error::CriError;
use crate::image;
use crate::shim::Shim;

/// Finds them in the store, and what of them is mounted; the request's mounts tell of them from then on.
///
/// # Errors
/// If one is not there, or has no such file or directory.
pub(super) fn find(shim: &Shim, mounts: &mut [Mount], spec: &mut AppSpec) -> Result<(), CriError> {
    let of_images = mounts.iter_mut().filter_map(|mount| {
        let image = mount.image.as_mut().filter(|image| !image.image.is_empty());
        image.map(|image| (image, &mount.container_path))
    });
    for ((asked, place), mount) in of_images.zip(&mut spec.image_mounts) {
        let field = format!("config.mounts[{place}]");
        let resolved = image::resolve(shim, asked).map_err(|error| error.below(&field))?;
        if let Some(path) = &mount.sub_path {
            let layers = resolved.image.layers().iter().rev();
            let trees: Vec<PathBuf> = layers.map(|layer| layer.path.clone()).collect();
            let found = look_up(&trees, &format!("/{path}"), &[]);
            if found.map_err(engine::Error::from)?.is_none() {
                return Err(CriError::invalid(
                    format!("config.mounts[{place}].image_sub_path"),
                    format!("image {} has no {path}", resolved.reference),
                ));
            }
        }
        mount.image = resolved.reference.to_string();
        // As the pull has called it: kubelets compare.
        asked.image_ref = resolved.id;
    }
    Ok(())
}
