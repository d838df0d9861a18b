//! Images whose files are mounted: judged as those that apps run.

use std::collections::BTreeSet;

use pod::manifest::{ImageRecord, Mount, MountSource, Volume, VolumeSource};

use super::folder::image_record;
use super::spec::{AppSpec, ImageVolume};
use crate::engine::Engine;
use crate::error::Error;
use crate::images::choice::{Choice, Pull, choose};
use crate::policy::verifier::Verifier;

/// Finds, fetches and verifies images whose files are mounted. The caller holds a pin.
pub(super) struct MountedImages<'a> {
    pub(super) engine: &'a Engine,
    pub(super) verifier: &'a Verifier<'a>,
    pub(super) pull: Pull,
    /// To be noted as used, once the pod is there.
    pub(super) choices: Vec<Choice>,
    /// The digests of those that the caller has been warned of.
    pub(super) warned: BTreeSet<String>,
}

impl<'a> MountedImages<'a> {
    pub(super) fn new(engine: &'a Engine, verifier: &'a Verifier<'a>, pull: Pull) -> Self {
        Self {
            engine,
            verifier,
            pull,
            choices: Vec::new(),
            warned: BTreeSet::new(),
        }
    }

    fn record(&mut self, text: &str) -> Result<Box<ImageRecord>, Error> {
        let choice = choose(self.engine, self.verifier, text, self.pull)?;
        let image = self.verifier.at_start(&choice.reference, &choice.top)?;
        let record = image_record(&image);
        if self.warned.insert(record.manifest.to_string()) {
            image.warn_if_unsigned(self.verifier.observer());
        }
        self.choices.push(choice);
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
            });
        }
        Ok(mounts)
    }
}
