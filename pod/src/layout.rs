//! Where things are in a pod's directory.

use std::path::{Path, PathBuf};

use crate::id::AppName;
use crate::manifest::VolumeName;

/// The pod manifest.
pub const MANIFEST_FILE: &str = "pod.json";
/// The directory of the apps' directories.
pub const APPS_DIR: &str = "apps";
/// The directory of the volumes that go with the pod.
pub const VOLUMES_DIR: &str = "volumes";

/// The directory of one app inside of its pod's directory.
pub fn app_dir(pod_dir: &Path, app: &AppName) -> PathBuf {
    pod_dir.join(APPS_DIR).join(app.as_str())
}

/// The directory of a volume that is kept with the pod, inside of the pod's directory.
pub fn empty_volume_dir(pod_dir: &Path, volume: &VolumeName) -> PathBuf {
    pod_dir.join(VOLUMES_DIR).join(volume.as_str())
}
