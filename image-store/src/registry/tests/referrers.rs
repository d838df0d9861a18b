use image_layer::{ContentError, Limits};

use super::*;
use crate::fetch::look_up;
use crate::media_type::{BUNDLE, OCI_INDEX};
use crate::origin::RawManifest;

fn entry(name: &str) -> String {
    let digest = sha256(name.as_bytes());
    format!(r#"{{"mediaType":"{OCI_INDEX}","digest":"{digest}","size":4}}"#)
}

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

fn listed(server: &Server) -> Result<Vec<Digest>, StoreError> {
    let mut origin = origin(server, "a:1", Vec::new());
    let found = origin.referrers(&sha256(b"image"), Some(BUNDLE))?;
    Ok(found.into_iter().map(|entry| entry.digest).collect())
}

#[test]
fn the_list_is_read_to_its_last_page() {
    let server = Server::start(|seen| {
        let (path, query) = seen.target.split_once('?').unwrap();
        assert!(path.starts_with("/v2/a/referrers/sha256:"), "{path}");
        match query {
            "artifactType=application%2Fvnd.dev.sigstore.bundle.v0.3%2Bjson" => {
                let next = format!("</v2/a/prev>; rel=prev, <{path}?n=2>; rel=\"next\"");
                list(&[entry("one")]).header("Link", next)
            }
            "n=2" => list(&[entry("two")]),
            other => panic!("{other}"),
        }
    });
    let found = listed(&server).unwrap();
    assert_eq!(found, [sha256(b"one"), sha256(b"two")]);
}

#[test]
fn a_list_does_not_go_on_at_another_host_nor_for_ever() {
    for elsewhere in [
        "http://127.0.0.1:1/v2/a/referrers/x",
        "http://192.0.2.1/",
        "/v2/b/x",
    ] {
        let link = format!("<{elsewhere}>; rel=\"next\"");
        let server = Server::start(move |_| list(&[entry("one")]).header("Link", link.clone()));
        let error = listed(&server).unwrap_err().to_string();
        assert!(error.contains(elsewhere), "{error}");
        assert_eq!(server.seen().len(), 1);
    }
    let server = Server::start(|seen| {
        let link = format!("<{}>; rel=\"next\"", seen.target);
        list(&[entry("one")]).header("Link", link)
    });
    assert_eq!(listed(&server).unwrap().len(), 16);
    assert_eq!(server.seen().len(), 16);
}

#[test]
fn without_the_api_a_tag_stands_in_and_the_api_is_not_asked_again() {
    for status in [404, 400, 405, 501, 200] {
        let server = Server::start(move |seen| {
            if seen.target.contains("/referrers/") {
                // 200 with a page for people, as a proxy in front may answer to everything.
                return Reply::new(status, "<html>").header("Content-Type", "text/html");
            }
            let tag = format!("/v2/a/manifests/sha256-{}", sha256(b"image").hex());
            match seen.target == tag {
                true => list(&[entry("one")]),
                false => Reply::new(404, ""),
            }
        });
        let mut origin = origin(&server, "a:1", Vec::new());
        // 400 to the very first request could be the answer of a TLS port.
        assert!(origin.tagged("x").unwrap().is_none());
        let subject = sha256(b"image");
        assert_eq!(origin.referrers(&subject, None).unwrap().len(), 1);
        let other = sha256(b"other");
        assert_eq!(origin.referrers(&other, None).unwrap().len(), 0);
        let asked = server.lines();
        let api = asked.iter().filter(|line| line.contains("/referrers/"));
        assert_eq!(api.count(), 1, "{asked:?}");
    }
}

#[test]
fn a_list_that_is_none_is_an_error_and_not_an_empty_list() {
    let garbage = || Reply::new(200, "<html>").header("Content-Type", OCI_INDEX);
    let server = Server::start(move |_| garbage());
    let error = listed(&server).unwrap_err();
    assert!(matches!(error, StoreError::NotJson { .. }), "{error}");
    let server = Server::start(move |_| {
        Reply::new(200, vec![b' '; 5 << 20]).header("Content-Type", OCI_INDEX)
    });
    let error = listed(&server).unwrap_err();
    assert!(
        matches!(
            error,
            StoreError::Content(ContentError::LimitExceeded { .. })
        ),
        "{error}"
    );
    let server = Server::start(move |_| Reply::new(503, ""));
    let error = listed(&server).unwrap_err();
    assert!(
        matches!(error, StoreError::Registry { status: 503, .. }),
        "{error}"
    );
}

#[test]
fn whatever_a_registry_says_instead_of_an_answer_no_signature_is_known_from_there() {
    let image = || Reply::new(200, "image").header("Content-Type", OCI_INDEX);
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
        let mut origin = origin(&server, "a:1", Vec::new());
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
            true => image(),
            false => Reply::new(404, ""),
        },
    );
    let mut origin = origin(&server, "a:1", Vec::new());
    let looked = look_up(
        &mut origin,
        &image_document(),
        &Limits::default(),
        &WantedBundles::default(),
    )
    .unwrap();
    assert!(looked.found.simple.is_empty() && looked.found.bundles.is_empty());
}

#[test]
fn a_list_that_not_everybody_may_ask_for_may_stand_at_the_tag() {
    for status in [401, 403] {
        let server = Server::start(move |seen| match seen.target.contains("/referrers/") {
            true => Reply::new(status, ""),
            false => list(&[entry("one")]),
        });
        assert_eq!(listed(&server).unwrap(), [sha256(b"one")]);
    }
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
    let kind = crate::cosign::SIGNATURE_ARTIFACT;
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
    let mut origin = origin(&server, "a:1", Vec::new());
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
