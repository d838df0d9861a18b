//! What a pod gives up for as long as it lives.

use pod::manifest::PodManifest;

/// Whether executing a program gives privileges to anything in a pod that begins so. If not, pod init gives that up.
pub(super) fn may_gain_privileges(manifest: &PodManifest) -> bool {
    let mut apps = manifest.apps.iter();
    manifest.new_privileges || apps.any(|app| !app.security.no_new_privileges)
}
