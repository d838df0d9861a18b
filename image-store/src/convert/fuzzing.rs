//! Fuzz target of the manifests of appc images.

use super::aci_manifest::parse;

/// Manifests of appc images, and what becomes of them.
pub fn aci_manifest(data: &[u8]) {
    let Ok(manifest) = parse("image", data) else {
        return;
    };
    drop(manifest.reference());
    if let Ok((config, notes)) = manifest.config("image", &|_| Ok(Some((1, 2)))) {
        assert!(config.is_object() && notes.len() < 8);
    }
}
