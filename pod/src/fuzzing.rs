//! Bodies of the fuzz targets: ordinary functions that take any bytes, and panic only where the code under
//! test has a bug. `fuzz/` hands them to libFuzzer; the tests below replay their corpora and mutate these.

use std::path::Path;

use crate::control::Request;
use crate::manifest::PodManifest;

/// Manifests of pods: volumes, mounts and their options, limits, system call filters. What is understood is written
/// in the newest form, and means the same there.
pub fn pod_manifest(data: &[u8]) {
    let path = Path::new("pod.json");
    let Ok(manifest) = PodManifest::parse(path, data) else {
        return;
    };
    let written = serde_json::to_vec(&manifest).unwrap_or_default();
    let again = PodManifest::parse(path, &written);
    assert_eq!(again.ok().as_ref(), Some(&manifest));
    // Neither may depend on what is in it.
    manifest.required_features();
    manifest.images().count();
}

/// What clients of the control socket ask for.
pub fn control_request(data: &[u8]) {
    let Ok(request) = serde_json::from_slice::<Request>(data) else {
        return;
    };
    let written = serde_json::to_vec(&request).unwrap_or_default();
    let again = serde_json::from_slice::<Request>(&written);
    assert_eq!(again.ok(), Some(request));
}

#[cfg(test)]
mod tests {
    replay::targets! {
        pod_manifest: 20_000,
        control_request: 20_000,
    }
}
