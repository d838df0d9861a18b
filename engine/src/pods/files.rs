//! The files of apps, as they are on the disk: what an app has changed, above the layers of its image.

use std::collections::BTreeSet;

use image_store::StoreError;
use image_store::tree::{self, IdRange, Owners, Tree};
use pod::PodEntry;
use pod::lock::LOCK_FILE;
use pod::manifest::{App, IdMapping, PodManifest, UserNamespace, app_dir};

use crate::engine::Engine;
use crate::error::Error;

/// Where an app finds what the pod shows of its own.
const POD_FILES: [&str; 3] = ["/etc/hosts", "/etc/hostname", "/etc/resolv.conf"];

/// What the app changed, and the layers of its image, topmost first.
pub fn trees(engine: &Engine, entry: &PodEntry, manifest: &PodManifest, app: &App) -> Vec<Tree> {
    let store = engine.store();
    let layers = app.image.layers.iter().rev();
    let changes = Tree {
        path: app_dir(&entry.path, &app.name).join("upper"),
        owners: manifest.user_namespace.as_ref().map(owners),
    };
    std::iter::once(changes)
        .chain(layers.map(|layer| store.layer_tree(layer).into()))
        .collect()
}

/// Refuses what was read of a pod that was removed meanwhile: its files may have gone one by one.
///
/// # Errors
/// [`Error::RemovedMeanwhile`].
pub fn still_there(entry: &PodEntry) -> Result<(), Error> {
    // A removal begins with another place for the pod's directory.
    match entry.path.join(LOCK_FILE).exists() {
        true => Ok(()),
        false => Err(Error::RemovedMeanwhile(entry.uuid)),
    }
}

/// What of the changes was made for the app and not by it: places to mount on, and its working directory. Paths in the
/// tree.
///
/// # Errors
/// If something can't be read.
pub fn made_for(app: &App, trees: &[Tree]) -> Result<BTreeSet<Vec<u8>>, StoreError> {
    let mounts = app.mounts.iter().map(|mount| mount.destination.as_str());
    let places = mounts.chain(POD_FILES);
    tree::mount_points(trees, places.chain([app.execution.cwd.as_str()]))
}

/// The IDs with which a pod's files are written.
fn owners(ids: &UserNamespace) -> Owners {
    let ranges = |mappings: &[IdMapping]| {
        let range = |mapping: &IdMapping| IdRange {
            inside: mapping.container_id,
            outside: mapping.host_id,
            count: mapping.size.get(),
        };
        mappings.iter().map(range).collect()
    };
    Owners {
        users: ranges(&ids.uid_mappings),
        groups: ranges(&ids.gid_mappings),
    }
}
