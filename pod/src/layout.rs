//! Where things are in a pod's directory.

use std::path::{Path, PathBuf};

use crate::id::AppName;

/// The pod manifest.
pub const MANIFEST_FILE: &str = "pod.json";
/// The directory of the apps' directories.
pub const APPS_DIR: &str = "apps";

/// The directory of one app inside of its pod's directory.
pub fn app_dir(pod_dir: &Path, app: &AppName) -> PathBuf {
    pod_dir.join(APPS_DIR).join(app.as_str())
}
