//! The images of a container: the one that it runs, and those whose files it mounts.

use std::path::PathBuf;

use engine::Engine;
use engine::pods::spec::AppSpec;
use image_store::tree::look_up;

use crate::api::{ContainerConfig, ImageSpec};
use crate::error::CriError;
use crate::image::{self, Resolved};
use crate::shim::Shim;

/// The images of a container, by the names by which they are judged.
pub(super) struct ContainerImages {
    /// The one that it runs.
    pub(super) own: Resolved,
    /// Those that it mounts, in the order of its mounts.
    mounted: Vec<Resolved>,
}

impl ContainerImages {
    /// Finds all of them in the store, and what of them is mounted; the request's mounts tell of them from then on.
    ///
    /// # Errors
    /// If one is not there, or has no such file or directory.
    pub(super) fn find(
        shim: &Shim,
        asked: &ImageSpec,
        config: &mut ContainerConfig,
        spec: &AppSpec,
    ) -> Result<Self, CriError> {
        let own = image::resolve(shim, asked).map_err(|error| error.below("config"))?;
        let of_images = config.mounts.iter_mut().filter_map(|mount| {
            let image = mount.image.as_mut().filter(|image| !image.image.is_empty());
            image.map(|image| (image, &mount.container_path))
        });
        let mut mounted = Vec::new();
        for ((asked, place), mount) in of_images.zip(&spec.image_mounts) {
            let field = format!("config.mounts[{place}]");
            let resolved = image::resolve(shim, asked).map_err(|error| error.below(&field))?;
            if let Some(path) = &mount.sub_path {
                let layers = resolved.image.layers().iter().rev();
                let trees: Vec<PathBuf> = layers.map(|layer| layer.path.clone()).collect();
                let found = look_up(&trees, &format!("/{path}"), &[]);
                if found.map_err(engine::Error::from)?.is_none() {
                    return Err(CriError::invalid(
                        format!("config.mounts[{place}].image_sub_path"),
                        format!("image {} has no {path}", resolved.name.reference),
                    ));
                }
            }
            // As the pull has called it: kubelets compare.
            asked.image_ref.clone_from(&resolved.id);
            mounted.push(resolved);
        }
        Ok(Self { own, mounted })
    }

    /// Names them to the engine.
    pub(super) fn name(&self, spec: &mut AppSpec) {
        spec.image = self.own.text();
        for (mount, image) in spec.image_mounts.iter_mut().zip(&self.mounted) {
            mount.image = image.text();
        }
    }

    /// The same images by the first of their names by which the policy lets each run; `None` if those are the names that
    /// they have here.
    ///
    /// # Errors
    /// [`engine::Error::Refused`] if one may run by none.
    pub(super) fn permitted(&self, engine: &Engine) -> Result<Option<Self>, engine::Error> {
        let other = Self {
            own: self.own.permitted(engine)?,
            mounted: self
                .mounted
                .iter()
                .map(|image| image.permitted(engine))
                .collect::<Result<_, _>>()?,
        };
        Ok((other.names() != self.names()).then_some(other))
    }

    fn names(&self) -> Vec<String> {
        let all = std::iter::once(&self.own).chain(&self.mounted);
        all.map(Resolved::text).collect()
    }
}
