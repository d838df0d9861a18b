//! Media types of OCI, Docker and Sigstore.

use serde::Deserialize;

use crate::go_json;

/// A manifest of an image.
pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// An index of manifests.
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// The configuration of an image.
pub const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// A layer that is not compressed.
pub const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
/// Docker's manifest.
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// Docker's index.
pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// What cosign signs, and keeps at a tag.
pub const SIMPLE_SIGNING: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
/// An attestation that cosign keeps at a tag.
pub const DSSE_ENVELOPE: &str = "application/vnd.dsse.envelope.v1+json";
/// The configuration of what needs none.
pub const OCI_EMPTY: &str = "application/vnd.oci.empty.v1+json";
/// A Sigstore bundle.
pub const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

/// Manifests and indexes, in the order of preference told to registries.
pub const MANIFESTS: [&str; 4] = [OCI_INDEX, OCI_MANIFEST, DOCKER_LIST, DOCKER_MANIFEST];

/// The media type of a manifest or index: what the place it came from told, if that is one of
/// [`MANIFESTS`], else its own `mediaType`, else what its members tell. Empty if nothing is known.
///
/// Where the place and the document disagree, the place's word is given on, so that the parser
/// sees the contradiction and refuses it (CVE-2021-41190).
#[must_use]
pub fn of_manifest(bytes: &[u8], told: &str) -> String {
    #[derive(Deserialize)]
    struct Shape {
        #[serde(rename = "mediaType")]
        media_type: Option<String>,
        manifests: Option<serde::de::IgnoredAny>,
        layers: Option<serde::de::IgnoredAny>,
    }
    let told = told
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    if MANIFESTS.contains(&told.as_str()) {
        return told;
    }
    let Ok(shape) = go_json::from_slice::<Shape>(bytes) else {
        return told;
    };
    if let Some(media_type) = shape.media_type.filter(|own| !own.is_empty()) {
        return media_type;
    }
    match (shape.manifests, shape.layers) {
        (Some(_), None) => OCI_INDEX.to_owned(),
        (None, Some(_)) => OCI_MANIFEST.to_owned(),
        _ => told,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_then_the_document_then_its_members() {
        let own = format!("{{\"mediaType\":\"{DOCKER_MANIFEST}\"}}");
        assert_eq!(of_manifest(own.as_bytes(), OCI_INDEX), OCI_INDEX);
        assert_eq!(
            of_manifest(own.as_bytes(), "application/json"),
            DOCKER_MANIFEST
        );
        assert_eq!(
            of_manifest(b"{\"layers\":[]}", "application/json"),
            OCI_MANIFEST
        );
        assert_eq!(of_manifest(b"{\"manifests\":[]}", ""), OCI_INDEX);
        let told = format!("{OCI_INDEX}; charset=utf-8");
        assert_eq!(of_manifest(b"{\"manifests\":[]}", &told), OCI_INDEX);
        assert_eq!(of_manifest(b"not json", "text/html"), "text/html");
    }
}
