//! The images of a pod: those that its apps run, and those whose files are mounted. All are judged alike.

use std::collections::BTreeSet;

use pod::manifest::{ImageRecord, Mount, MountSource, Volume, VolumeSource};

use super::folder::image_record;
use super::spec::{AppSpec, ImageVolume};
use crate::error::Error;
use crate::images::choice::{Chosen, Pull};
use crate::policy::verifier::Verifier;

/// What was typed for the image of an app, and for those that it mounts,
/// and when each is fetched.
pub(super) fn typed(app: &AppSpec, usual: Pull) -> impl Iterator<Item = (&str, Pull)> {
    let mounted = app.image_mounts.iter().map(|mount| mount.image.as_str());
    let mounted = mounted.map(move |text| (text, usual));
    std::iter::once((app.image.as_str(), app.pull.unwrap_or(usual))).chain(mounted)
}

/// Verifies images whose files are mounted.
pub(super) struct MountedImages<'a> {
    verifier: &'a Verifier<'a>,
    chosen: &'a Chosen,
    /// The digests of those that the caller has been warned of.
    warned: BTreeSet<String>,
}

impl<'a> MountedImages<'a> {
    pub(super) fn new(verifier: &'a Verifier<'a>, chosen: &'a Chosen) -> Self {
        Self {
            verifier,
            chosen,
            warned: BTreeSet::new(),
        }
    }

    fn record(&mut self, text: &str) -> Result<Box<ImageRecord>, Error> {
        let choice = self.chosen.of(text)?;
        let image = self.verifier.at_start(&choice.reference, &choice.top)?;
        let record = image_record(&image);
        if self.warned.insert(record.manifest.to_string()) {
            image.warn_if_unsigned(self.verifier.observer());
        }
        Ok(Box::new(record))
    }

    /// The volumes of a pod that are images.
    ///
    /// # Errors
    /// What stands in the way of one.
    pub(super) fn volumes(&mut self, asked: &[ImageVolume]) -> Result<Vec<Volume>, Error> {
        let volumes = asked.iter().map(|asked| {
            Ok(Volume {
                name: asked.name.clone(),
                source: VolumeSource::Image {
                    image: self.record(&asked.image)?,
                },
                read_only: true,
            })
        });
        volumes.collect()
    }

    /// All mounts that are asked for an app.
    ///
    /// # Errors
    /// What stands in the way of one that is an image.
    pub(super) fn mounts(&mut self, app: &AppSpec) -> Result<Vec<Mount>, Error> {
        let mut mounts = app.mounts.clone();
        for asked in &app.image_mounts {
            mounts.push(Mount {
                destination: asked.destination.clone(),
                source: MountSource::Image {
                    image: self.record(&asked.image)?,
                    sub_path: asked.sub_path.clone(),
                },
                options: asked.options.clone(),
                uid_mappings: Vec::new(),
                gid_mappings: Vec::new(),
                relabel: None,
            });
        }
        Ok(mounts)
    }
}
