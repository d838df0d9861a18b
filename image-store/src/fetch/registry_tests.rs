//! What registries say of signatures.

use image_document::media_type::{self, BUNDLE, OCI_INDEX};
use image_document::{RawManifest, cosign};
use image_layer::{Limits, sha256};
use image_registry::fixture::{Reply, Server, image};

use super::signatures::look_up;
use crate::options::WantedBundles;

fn list(entries: &[String]) -> Reply {
    let list = entries.join(",");
    let body = format!(r#"{{"schemaVersion":2,"manifests":[{list}]}}"#);
    Reply::new(200, body).header("Content-Type", OCI_INDEX)
}

fn image_document() -> RawManifest {
    RawManifest {
        media_type: media_type::OCI_MANIFEST.to_owned(),
        bytes: b"image".to_vec(),
        digest: sha256(b"image"),
    }
}

#[test]
fn whatever_a_registry_says_instead_of_an_answer_no_signature_is_known_from_there() {
    let itself = || Reply::new(200, "image").header("Content-Type", OCI_INDEX);
    type Odd = (&'static str, fn() -> Reply, bool);
    let odd: [Odd; 6] = [
        ("401", || Reply::new(401, ""), true),
        (
            "403",
            || Reply::new(403, r#"{"errors":[{"code":"UNAUTHORIZED"}]}"#),
            true,
        ),
        ("405", || Reply::new(405, ""), true),
        ("500", || Reply::new(500, ""), true),
        (
            "a page",
            || Reply::new(200, "<html>").header("Content-Type", "text/html"),
            true,
        ),
        ("an index", || list(&[]), true),
    ];
    for (case, reply, told) in odd {
        let server = Server::start(move |_| reply());
        let mut origin = image(&server, "a:1");
        let looked = look_up(
            &mut origin,
            &image_document(),
            &Limits::default(),
            &WantedBundles::default(),
        )
        .unwrap();
        assert!(looked.found.simple.is_empty() && looked.found.bundles.is_empty());
        assert_eq!(!looked.unanswered.is_empty(), told, "{case}: {looked:?}");
    }
    // What GitLab does: the image itself under each name that has its digest.
    let server = Server::start(
        move |seen| match seen.target.contains("/manifests/sha256-") {
            true => itself(),
            false => Reply::new(404, ""),
        },
    );
    let mut origin = image(&server, "a:1");
    let looked = look_up(
        &mut origin,
        &image_document(),
        &Limits::default(),
        &WantedBundles::default(),
    )
    .unwrap();
    assert!(looked.found.simple.is_empty() && looked.found.bundles.is_empty());
}

/// A manifest of cosign's about the image, with one layer.
fn of_cosign(kind: &str, layer_type: &str, layer: &[u8], signature: &str) -> String {
    let (digest, empty, subject) = (sha256(layer), sha256(b"{}"), sha256(b"image"));
    serde_json::json!({
        "schemaVersion": 2,
        "mediaType": media_type::OCI_MANIFEST,
        "config": { "mediaType": kind, "digest": empty, "size": 2 },
        "layers": [{
            "mediaType": layer_type, "digest": digest, "size": layer.len(),
            "annotations": { "dev.cosignproject.cosign/signature": signature },
        }],
        "subject": { "mediaType": media_type::OCI_MANIFEST, "digest": subject, "size": 5 },
    })
    .to_string()
}

#[test]
fn attestations_at_a_tag_and_signatures_as_referrers_are_found() {
    let envelope = r#"{"payloadType":"application/vnd.in-toto+json","payload":"e30=",
        "signatures":[{"keyid":"","sig":"AAAA"}]}"#;
    let attestations = of_cosign(
        media_type::OCI_CONFIG,
        media_type::DSSE_ENVELOPE,
        envelope.as_bytes(),
        "",
    );
    let kind = cosign::SIGNATURE_ARTIFACT;
    let signatures = of_cosign(kind, media_type::SIMPLE_SIGNING, b"payload", "AAAA");
    let listed = format!(
        r#"{{"mediaType":"{}","digest":"{}","size":{},"artifactType":"{kind}"}}"#,
        media_type::OCI_MANIFEST,
        sha256(signatures.as_bytes()),
        signatures.len()
    );
    let server = Server::start(move |seen| {
        let digest = |text: &[u8]| sha256(text).to_string();
        let target = &seen.target;
        let document =
            |text: &str| Reply::new(200, text).header("Content-Type", media_type::OCI_MANIFEST);
        if target.contains("/referrers/") {
            list(std::slice::from_ref(&listed))
        } else if target.ends_with(".att") {
            document(&attestations)
        } else if target.ends_with(&digest(signatures.as_bytes())) {
            document(&signatures)
        } else if target.ends_with(&digest(envelope.as_bytes())) {
            Reply::new(200, envelope)
        } else if target.ends_with(&digest(b"payload")) {
            Reply::new(200, "payload")
        } else {
            Reply::new(404, "")
        }
    });
    let mut origin = image(&server, "a:1");
    let looked = look_up(
        &mut origin,
        &image_document(),
        &Limits::default(),
        &WantedBundles::default(),
    )
    .unwrap();
    assert_eq!(looked.unanswered, [""; 0]);
    let simple: Vec<_> = looked
        .found
        .simple
        .iter()
        .map(|one| &*one.payload)
        .collect();
    assert_eq!(simple, [b"payload"]);
    let bundle = &looked.found.bundles[0].bundle;
    let bundle: serde_json::Value = serde_json::from_slice(bundle).unwrap();
    assert_eq!(bundle["mediaType"], BUNDLE);
    assert_eq!(bundle["dsseEnvelope"]["payload"], "e30=");
    assert_eq!(bundle["dsseEnvelope"]["signatures"][0]["sig"], "AAAA");
}
