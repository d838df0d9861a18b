//! Bodies of the fuzz targets: see [`image_layer::fuzzing`].

#[cfg(test)]
mod seeds;

use image_layer::sha256;

use crate::cosign;
use crate::manifest::{Document, Manifest, Platform, parse_config};
use crate::media_type;
use crate::raw_manifest::RawManifest;
use crate::referrer;

/// Manifests and indexes, told as any of the media types.
pub fn manifest(data: &[u8]) {
    let platform = Platform::host();
    for told in ["", media_type::OCI_MANIFEST, media_type::OCI_INDEX] {
        let told = media_type::of_manifest(data, told);
        match Document::parse("document", data, &told) {
            Ok(Document::Manifest(manifest)) => {
                for layer in manifest.layers.iter().chain([&manifest.config]) {
                    assert_eq!(layer.digest.hex().len(), 64);
                }
                drop(manifest.check_image("manifest"));
            }
            Ok(Document::Index(index)) => drop(index.pick("index", &platform)),
            Err(error) => drop(error.to_string()),
        }
    }
}

/// Lists of referrers, cosign's manifests and Sigstore bundles, read and added to.
pub fn signatures(data: &[u8]) {
    let document = RawManifest {
        media_type: media_type::OCI_MANIFEST.to_owned(),
        bytes: data.to_vec(),
        digest: sha256(data),
    };
    let listed = referrer::parse_list("list", data);
    if let Ok(Some(longer)) = referrer::add_to_list(Some(data), &document) {
        assert!(listed.is_ok_and(|listed| listed.len() <= referrer::MAX_LISTED));
        assert!(referrer::parse_list("list", &longer).is_ok());
    }
    if let Ok(Some(signed)) = cosign::append(Some(data), b"payload", "c2ln") {
        let again = cosign::append(Some(&signed.manifest), b"payload", "c2ln");
        assert!(again.is_ok_and(|again| again.is_none()));
        drop(cosign::merge(data, &signed.manifest));
    }
    drop(referrer::of_bundle(&document, data));
}

/// Configurations of an image with two layers.
pub fn config(data: &[u8]) {
    let Some(manifest) = two_layers() else {
        unreachable!("the manifest is a proper one")
    };
    if let Ok((_, diff_ids)) = parse_config("config", data, &manifest, &Platform::host()) {
        assert_eq!(diff_ids.len(), 2);
    }
}

fn two_layers() -> Option<Manifest> {
    let blob = |media_type: &str| {
        let hex = "0".repeat(64);
        format!(r#"{{"mediaType":"{media_type}","digest":"sha256:{hex}","size":1}}"#)
    };
    let layer = blob(media_type::OCI_LAYER);
    let config = blob(media_type::OCI_CONFIG);
    let text = format!(r#"{{"schemaVersion":2,"config":{config},"layers":[{layer},{layer}]}}"#);
    match Document::parse("manifest", text.as_bytes(), "") {
        Ok(Document::Manifest(manifest)) => Some(manifest),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    replay::targets! {
        seeds: super::seeds::of;
        manifest: 10_000,
        config: 8000,
        signatures: 8000,
    }
}
