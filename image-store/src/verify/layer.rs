//! One layer: its blob, its tree, and the seal between the two.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use atomic_file::Durability;
use image_layer::seal::{
    CONTENTS, Changes, Depth, Record, SEAL, against_seal, against_tree, remake, same_file,
};
use image_layer::{ContentError, Intake, Layer, LayerJob, Watch, open_regular};

use super::{Audit, Cure, Finding, Job, Problem};
use crate::error::StoreError;
use crate::fetch::unpack_to;
use crate::store::{publish, sync_file_system, sync_folder};

/// What the tree has to be: the layer unpacked once more, without the contents of its files.
struct Model {
    folder: PathBuf,
    record: Record,
    opaque: bool,
}

/// A layer and where what belongs to it is.
struct Place {
    folder: PathBuf,
    /// A directory for a new seal.
    fresh: PathBuf,
    layer: Layer,
    /// For messages.
    object: String,
    threads: usize,
}

/// How a tree is.
#[derive(Default)]
struct Tree {
    /// Something an app would see.
    damaged: bool,
    /// The seal doesn't fit, or isn't whole.
    unsealed: bool,
}

impl Audit {
    /// Verifies a layer, and cures what may be cured. Gives a new directory for it, if it needs one.
    pub(super) fn layer(
        &self,
        job: &Job,
        threads: usize,
    ) -> Result<(Finding, Option<PathBuf>), StoreError> {
        let mut finding = Finding::default();
        let mut model = self.blob(job, &mut finding)?;
        let place = Place {
            folder: self.store.layer_folder(&job.diff_id),
            fresh: self
                .staging
                .path()
                .join(format!("seal-{}", job.diff_id.hex())),
            object: format!("layer {}", job.diff_id),
            layer: Layer {
                diff_id: job.diff_id.clone(),
                path: self.store.layer_folder(&job.diff_id).join("fs"),
            },
            threads,
        };
        let object = &place.object;
        if !self.store.has_layer(&job.diff_id)? {
            finding.add(object, "is missing from the store");
            let replacement = self.replacement(job, object, &mut finding)?;
            return Ok((finding, replacement));
        }
        let mut tree = match &model {
            Some(model) => self.by_model(&place, model, &mut finding)?,
            None => {
                finding.by_seal_alone = true;
                let before = finding.clone();
                let tree = self.by_seal(&place, &mut finding)?;
                if self.cure != Cure::None && (tree.damaged || tree.unsealed) {
                    model = self.model_from_origin(job, object, &mut finding)?;
                }
                match &model {
                    Some(model) => {
                        // It tells more, and the same again.
                        finding = Finding {
                            by_seal_alone: false,
                            ..before
                        };
                        self.by_model(&place, model, &mut finding)?
                    }
                    None => tree,
                }
            }
        };
        if let (Some(model), false, true) = (&model, tree.damaged, tree.unsealed)
            && self.cure != Cure::None
        {
            publish_seal(&place.fresh, &model.folder, &place.folder)?;
            tree.unsealed = false;
        }
        let mut replacement = None;
        if self.cure == Cure::Repair && (tree.damaged || tree.unsealed) {
            replacement = self.replacement(job, object, &mut finding)?;
        }
        finding.cured = finding.blob_is_sound && !tree.damaged && !tree.unsealed;
        if !tree.damaged && !tree.unsealed {
            self.store.forget_damage(&job.diff_id);
        }
        if let Some(model) = model {
            // Many of them would need as many inodes as the store.
            drop(fs::remove_dir_all(model.folder));
        }
        Ok((finding, replacement))
    }

    /// Reads the kept blob, if there is one, and makes a model of it. A damaged blob is fetched
    /// again where that is wanted.
    fn blob(&self, job: &Job, finding: &mut Finding) -> Result<Option<Model>, StoreError> {
        let digest = &job.descriptor.digest;
        finding.blob_is_sound = true;
        if !self.store.has_blob(digest)? {
            return Ok(None);
        }
        let object = format!("blob {digest}");
        let path = self.store.blob_path(digest);
        match self.model_from_file(job, &path) {
            Ok(model) => return Ok(Some(model)),
            Err(error @ StoreError::Content(ContentError::NoSpace { .. })) => return Err(error),
            Err(error) => finding.add(&object, error.to_string()),
        }
        let mut model = None;
        finding.blob_is_sound = self.restore(finding, &object, || {
            let new = self.download(job)?;
            model = Some(self.model_from_file(job, &new)?);
            self.publish_blob(&new, digest)
        })?;
        Ok(model)
    }

    /// Fetches the blob into the staging directory.
    fn download(&self, job: &Job) -> Result<PathBuf, StoreError> {
        let to = self
            .staging
            .path()
            .join(format!("blob-{}", job.descriptor.digest.hex()));
        // A try before may have left a part of it.
        drop(fs::remove_file(&to));
        let mut origin = self.origin(&job.source)?;
        let source = origin.blob(&job.descriptor.digest, job.descriptor.size)?;
        let what = format!("layer {}", job.descriptor.digest);
        with_watch(|watch| {
            Ok(Intake::new(source, &what, job.descriptor.wanted(), Some(&to), watch)?.finish()?)
        })?;
        Ok(to)
    }

    fn model_from_file(&self, job: &Job, blob: &Path) -> Result<Model, StoreError> {
        let source = opened(blob)?;
        self.unpack(job, "model", Box::new(source), Record::hollow())
    }

    /// Without a kept blob, the place that the image came from has to tell what is right.
    fn model_from_origin(
        &self,
        job: &Job,
        object: &str,
        finding: &mut Finding,
    ) -> Result<Option<Model>, StoreError> {
        let tried = self.origin(&job.source).and_then(|mut origin| {
            let source = origin.blob(&job.descriptor.digest, job.descriptor.size)?;
            self.unpack(job, "model", source, Record::hollow())
        });
        match tried {
            Ok(model) => Ok(Some(model)),
            Err(error @ StoreError::Content(ContentError::NoSpace { .. })) => Err(error),
            Err(error) => {
                finding.add(object, format!("can't be compared with its blob: {error}"));
                Ok(None)
            }
        }
    }

    fn unpack(
        &self,
        job: &Job,
        kind: &str,
        source: Box<dyn std::io::Read + Send + '_>,
        record: Record,
    ) -> Result<Model, StoreError> {
        let folder = self
            .staging
            .path()
            .join(format!("{kind}-{}", job.diff_id.hex()));
        // A try with another blob may have left a part of it.
        drop(fs::remove_dir_all(&folder));
        let what = format!("layer {}", job.descriptor.digest);
        let layer_job = LayerJob {
            what: &what,
            size: job.descriptor.size,
            diff_id: &job.diff_id,
            root: &folder.join("fs"),
            limits: &self.options.limits,
            memory: self.store.memory(),
        };
        let record = with_watch(|watch| {
            let intake = Intake::new(source, &what, job.descriptor.wanted(), None, watch)?;
            unpack_to(&folder, &layer_job, intake, record)
        })?;
        let opaque = folder.join("opaque").exists();
        Ok(Model {
            folder,
            record,
            opaque,
        })
    }

    fn by_model(
        &self,
        place: &Place,
        model: &Model,
        finding: &mut Finding,
    ) -> Result<Tree, StoreError> {
        let Place {
            folder,
            fresh,
            layer,
            object,
            threads,
        } = place;
        if self.cure != Cure::None {
            // Before anything is compared: what changes from here on does not fit this seal.
            fs::create_dir(fresh).map_err(|e| StoreError::io("cannot create", fresh, e))?;
            remake(&layer.path, fresh, &layer.diff_id, model.opaque)?;
        }
        let mut tree = Tree::default();
        let root = model.folder.join("fs");
        let compared = against_tree(&layer.path, &root, &model.record, *threads);
        let changes = readable(compared)?;
        if folder.join("opaque").exists() != model.opaque {
            finding.add(
                object,
                "its file \"opaque\", which hides the layers below, is wrong",
            );
            tree.damaged = true;
        }
        tree.damaged |= !changes.is_empty();
        take(finding, object, changes);
        if tree.damaged {
            return Ok(tree);
        }
        let sealed = self
            .store
            .check_layers(std::slice::from_ref(layer), Depth::Inodes);
        if let Err(error) = sealed {
            finding.add(
                object,
                format!("is intact, but a start refuses it: {error}"),
            );
            tree.unsealed = true;
        } else if !same_file(&model.folder.join(CONTENTS), &folder.join(CONTENTS))? {
            finding.add(object, "is intact, but its seal is not");
            tree.unsealed = true;
        }
        Ok(tree)
    }

    fn by_seal(&self, place: &Place, finding: &mut Finding) -> Result<Tree, StoreError> {
        let (layer, object) = (&place.layer, &place.object);
        let mut tree = Tree::default();
        match readable(against_seal(layer, &place.folder, Some(place.threads))) {
            Ok(changes) => {
                tree.damaged = !changes.is_empty();
                take(finding, object, changes);
            }
            Err(error @ StoreError::Content(ContentError::Unsealed { .. })) => {
                finding.add(object, error.to_string());
                tree.unsealed = true;
                return Ok(tree);
            }
            Err(error) => return Err(error),
        }
        let check = self
            .store
            .check_layers(std::slice::from_ref(layer), Depth::Inodes);
        if let (false, Err(error)) = (tree.damaged, check) {
            finding.add(object, error.to_string());
            tree.damaged = true;
        }
        Ok(tree)
    }

    /// Unpacks the layer anew, where a repair is wanted and possible.
    fn replacement(
        &self,
        job: &Job,
        object: &str,
        finding: &mut Finding,
    ) -> Result<Option<PathBuf>, StoreError> {
        let digest = &job.descriptor.digest;
        let mut folder = None;
        self.restore(finding, object, || {
            let kept = self.store.blob_path(digest);
            let unpacked = match opened(&kept) {
                Ok(file) => self.unpack(job, "layer", Box::new(file), Record::default()),
                Err(_) => {
                    let new = self.download(job)?;
                    let file = opened(&new)?;
                    let unpacked = self.unpack(job, "layer", Box::new(file), Record::default());
                    if unpacked.is_ok() && self.options.keep_layers {
                        self.publish_blob(&new, digest)?;
                    }
                    unpacked
                }
            };
            let unpacked = unpacked?;
            sync_file_system(&unpacked.folder)?;
            folder = Some(unpacked.folder);
            Ok(())
        })?;
        Ok(folder)
    }
}

/// Puts a new seal in the place of the old one.
fn publish_seal(fresh: &Path, model: &Path, folder: &Path) -> Result<(), StoreError> {
    sync_file_system(fresh)?;
    for (from, name) in [(model, CONTENTS), (fresh, SEAL)] {
        publish(&from.join(name), &folder.join(name), Durability::Visible)?;
    }
    sync_folder(folder)
}

fn with_watch<T>(work: impl FnOnce(Watch<'_>) -> Result<T, StoreError>) -> Result<T, StoreError> {
    work(Watch {
        received: &|_| {},
        cancelled: &AtomicBool::new(false),
    })
}

/// A tree that the disk can't give back is damaged as well.
fn readable(compared: Result<Changes, ContentError>) -> Result<Changes, StoreError> {
    match compared {
        Err(ContentError::Io {
            action,
            path,
            error,
        }) => Ok(Changes {
            told: vec![(path.display().to_string(), format!("{action}: {error}"))],
            more: 0,
        }),
        other => Ok(other?),
    }
}

fn take(finding: &mut Finding, object: &str, changes: Changes) {
    finding.more += changes.more;
    finding
        .problems
        .extend(changes.told.into_iter().map(|(path, problem)| Problem {
            object: object.to_owned(),
            path: Some(path),
            problem,
        }));
}

/// A blob that is to be read.
fn opened(path: &Path) -> Result<File, StoreError> {
    let missing = || {
        StoreError::io(
            "cannot open",
            path,
            io::Error::from(io::ErrorKind::NotFound),
        )
    };
    Ok(open_regular(path)?.ok_or_else(missing)?.0)
}
