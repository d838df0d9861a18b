use std::collections::BTreeMap;
use std::io::Read;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image_document::RawManifest;
use image_document::media_type::{self, OCI_MANIFEST};
use image_document::referrer::{list_entry, of_bundle};
use serde_json::{Value, json};

use super::*;

fn most() -> usize {
    BundleLimits::default().count
}

/// A place whose list of referrers and blobs are whatever a test says.
#[derive(Default)]
struct Place {
    listed: Vec<Descriptor>,
    blobs: BTreeMap<String, Vec<u8>>,
    asked: usize,
}

impl Origin for Place {
    fn top(&mut self) -> Result<RawManifest, StoreError> {
        unreachable!("nobody asks for the image")
    }

    fn manifest(&mut self, digest: &Digest) -> Result<RawManifest, StoreError> {
        self.asked += 1;
        let bytes = self.blobs.get(digest.as_ref()).cloned();
        let bytes = bytes.ok_or_else(|| StoreError::UnknownImage {
            reference: digest.to_string(),
            place: "here".to_owned(),
        })?;
        Ok(RawManifest {
            media_type: media_type::of_manifest(&bytes, ""),
            bytes,
            digest: digest.clone(),
        })
    }

    fn blob(&mut self, digest: &Digest, _: u64) -> Result<Box<dyn Read + Send + '_>, StoreError> {
        let bytes = self.blobs.get(digest.as_ref()).cloned().unwrap_or_default();
        Ok(Box::new(std::io::Cursor::new(bytes)))
    }

    fn tagged(&mut self, _: &str) -> Result<Option<RawManifest>, StoreError> {
        Ok(None)
    }

    fn referrers(&mut self, _: &Digest, _: Option<&str>) -> Result<Vec<Descriptor>, StoreError> {
        Ok(self.listed.clone())
    }
}

fn image() -> RawManifest {
    RawManifest {
        media_type: OCI_MANIFEST.to_owned(),
        bytes: b"image".to_vec(),
        digest: sha256(b"image"),
    }
}

fn bundle(predicate: &str, padding: usize) -> Vec<u8> {
    let statement = json!({ "predicateType": predicate, "padding": "x".repeat(padding) });
    let payload = STANDARD.encode(statement.to_string());
    json!({ "dsseEnvelope": { "payload": payload } })
        .to_string()
        .into_bytes()
}

impl Place {
    fn add(&mut self, manifest: &[u8]) {
        let raw = RawManifest {
            media_type: OCI_MANIFEST.to_owned(),
            bytes: manifest.to_vec(),
            digest: sha256(manifest),
        };
        // What can't be read has no more to it than its descriptor.
        let plain = json!({
            "mediaType": OCI_MANIFEST, "digest": raw.digest, "size": manifest.len(),
        });
        let entry = list_entry(&raw).unwrap_or(plain);
        self.listed.push(Descriptor::parse(&entry).unwrap());
        self.blobs.insert(raw.digest.to_string(), manifest.to_vec());
    }

    fn add_bundle(&mut self, subject: &RawManifest, bundle: &[u8]) {
        let referrer = of_bundle(subject, bundle).unwrap();
        self.add(&referrer.manifest);
        let digest = sha256(bundle).to_string();
        self.blobs.insert(digest, bundle.to_vec());
    }
}

/// A proper manifest of a bundle with one thing changed.
fn changed(change: impl Fn(&mut Value)) -> Vec<u8> {
    let referrer = of_bundle(&image(), &bundle("p", 0)).unwrap();
    let mut manifest: Value = serde_json::from_slice(&referrer.manifest).unwrap();
    change(&mut manifest);
    manifest.to_string().into_bytes()
}

#[test]
fn a_bundle_is_found_and_one_manifest_is_made_of_it() {
    let bytes = bundle("https://sigstore.dev/cosign/sign/v1", 0);
    let mut place = Place::default();
    place.add_bundle(&image(), &bytes);
    place.add_bundle(&image(), &bytes);
    let bundles = referring(&mut place, &image().digest, &WantedBundles::default()).unwrap();
    assert_eq!(bundles.notes, [""; 0]);
    assert_eq!(bundles.bundles.len(), 1, "listed twice, counted once");
    assert_eq!(bundles.bundles[0].bundle, bytes);
    let manifest: Value = serde_json::from_slice(&bundles.bundles[0].manifest).unwrap();
    assert_eq!(manifest["subject"]["digest"], image().digest.as_ref());
    assert_eq!(manifest["artifactType"], BUNDLE);
    assert_eq!(
        manifest["annotations"]["dev.sigstore.bundle.predicateType"],
        "https://sigstore.dev/cosign/sign/v1"
    );
}

#[test]
fn what_is_no_bundle_of_the_image_is_left_out_and_hides_none() {
    let other = RawManifest {
        digest: sha256(b"other image"),
        ..image()
    };
    let mut place = Place::default();
    place.add_bundle(&other, &bundle("wrong subject", 0));
    place.add(b"<html>");
    place.add(&changed(|m| m["subject"] = Value::Null));
    place.add(&changed(|m| m["layers"] = json!([])));
    place.add(&changed(|m| {
        let layer = m["layers"][0].clone();
        m["layers"] = json!([layer.clone(), layer]);
    }));
    place.add(&changed(|m| {
        m["layers"][0]["mediaType"] = json!("text/plain")
    }));
    place.add(&changed(|m| {
        m["layers"][0]["size"] = json!(BundleLimits::default().size + 1)
    }));
    place.add(&changed(|m| m["manifests"] = json!([])));
    // Its blob is another than it says.
    place.add(&changed(|m| m["layers"][0]["digest"] = json!(sha256(b"x"))));
    place.blobs.insert(sha256(b"x").to_string(), bundle("p", 0));
    // Listed, and not there.
    let gone = json!({ "mediaType": OCI_MANIFEST, "digest": sha256(b"gone"), "size": 4 });
    place.listed.push(Descriptor::parse(&gone).unwrap());
    let huge = json!({ "mediaType": OCI_MANIFEST, "digest": sha256(b"huge"), "size": 1_u64 << 40 });
    place.listed.push(Descriptor::parse(&huge).unwrap());
    let good = bundle("good", 0);
    place.add_bundle(&image(), &good);
    let bundles = referring(&mut place, &image().digest, &WantedBundles::default()).unwrap();
    let found: Vec<_> = bundles.bundles.iter().map(|one| &one.bundle).collect();
    assert_eq!(found, [&good]);
    assert_eq!(bundles.notes.len(), 8, "{:?}", bundles.notes);
    let told = |part: &str| bundles.notes.iter().any(|note| note.contains(part));
    assert!(told("its subject is"), "{:?}", bundles.notes);
}

#[test]
fn other_kinds_of_artifacts_are_not_even_read() {
    let mut place = Place::default();
    place.add(&changed(|m| {
        m["artifactType"] = json!("application/spdx+json")
    }));
    let found = referring(&mut place, &image().digest, &WantedBundles::default()).unwrap();
    assert_eq!(
        (found.bundles.len(), found.notes.len(), place.asked),
        (0, 0, 0)
    );
}

#[test]
fn number_and_bytes_are_bounded_and_what_is_over_is_told() {
    let mut place = Place::default();
    for number in 0..most() + 5 {
        place.add_bundle(&image(), &bundle(&number.to_string(), 0));
    }
    let many = referring(&mut place, &image().digest, &WantedBundles::default()).unwrap();
    assert_eq!(many.bundles.len(), most());
    assert_eq!(many.bundles[0].bundle, bundle("0", 0));
    assert_eq!(place.asked, most());
    let over = format!("of {} only {} are looked at", most() + 5, most());
    assert_eq!(many.over, [over]);
    let mut place = Place::default();
    for number in 0..6 {
        place.add_bundle(&image(), &bundle(&number.to_string(), 11 << 20));
    }
    place.add_bundle(&image(), &bundle("small", 0));
    let large = referring(&mut place, &image().digest, &WantedBundles::default()).unwrap();
    let bytes: usize = large.bundles.iter().map(|one| one.bundle.len()).sum();
    assert!(bytes as u64 <= BundleLimits::default().total, "{bytes}");
    assert_eq!(large.bundles.last().unwrap().bundle, bundle("small", 0));
    assert!(
        large
            .over
            .iter()
            .all(|over| over.starts_with("referrer sha256:"))
    );
    assert_eq!(large.over.len(), 2);
}

#[test]
fn daily_scans_hide_no_signature_and_no_statement_that_matters() {
    let mut place = Place::default();
    for day in 0..400 {
        place.add_bundle(&image(), &bundle("scan", day));
        // Newer ones come later, and say so.
        let entry = place.listed.last_mut().unwrap();
        let day = format!("2026-{:02}-{:02}T00:00:00Z", day / 28 + 1, day % 28 + 1);
        entry
            .annotations
            .insert("org.opencontainers.image.created".to_owned(), day);
    }
    for kind in ["sbom", "https://sigstore.dev/cosign/sign/v1", "build"] {
        place.add_bundle(&image(), &bundle(kind, 0));
    }
    let wanted = WantedBundles {
        predicate_types: vec!["sbom".to_owned()],
        ..WantedBundles::default()
    };
    let found = referring(&mut place, &image().digest, &wanted).unwrap();
    let found: Vec<_> = found.bundles.iter().map(|one| &one.bundle).collect();
    let sign = bundle("https://sigstore.dev/cosign/sign/v1", 0);
    assert_eq!(found.len(), most());
    assert_eq!(found[..2], [&bundle("sbom", 0), &sign]);
    // Of all others each kind in turn, the newest first.
    assert_eq!(found[2..4], [&bundle("scan", 399), &bundle("build", 0)]);
    assert_eq!(found[4], &bundle("scan", 398));
}

/// A bundle by the key that is called `hint`.
fn by(hint: &str, predicate: &str, padding: usize) -> Vec<u8> {
    let material = json!({ "publicKey": { "hint": hint } });
    let plain = bundle(predicate, padding);
    let rest = plain.strip_prefix(b"{").unwrap();
    [
        format!("{{\"verificationMaterial\":{material},").as_bytes(),
        rest,
    ]
    .concat()
}

#[test]
fn bundles_by_other_keys_take_no_place_from_those_by_trusted_ones() {
    let mut place = Place::default();
    for number in 0..most() + 40 {
        place.add_bundle(&image(), &by("scanner", "scan", number));
    }
    let (ours, nameless) = (by("ours", "scan", 7), bundle("scan", 8));
    place.add_bundle(&image(), &ours);
    place.add_bundle(&image(), &nameless);
    let wanted = |hint: &str| WantedBundles {
        predicate_types: vec!["scan".to_owned()],
        key_hints: vec![hint.to_owned()],
        limits: BundleLimits::default(),
    };
    let found = referring(&mut place, &image().digest, &wanted("ours")).unwrap();
    assert_eq!(found.bundles.len(), most());
    assert_eq!(found.bundles[0].bundle, ours);
    assert_eq!(found.bundles[1].bundle, nameless);
    assert_eq!(found.bundles[2].bundle, by("scanner", "scan", 0));
    assert_eq!(found.over, [""; 0]);
    // Where all are by the key that is trusted, the first are taken, and that is told.
    let found = referring(&mut place, &image().digest, &wanted("scanner")).unwrap();
    assert_eq!(found.bundles[0].bundle, by("scanner", "scan", 0));
    let over = format!("of {} only {} are looked at", most() + 42, most());
    assert_eq!(found.over, [over]);
    // Nor do large ones take its bytes.
    let mut place = Place::default();
    for number in 0..6 {
        place.add_bundle(&image(), &by("scanner", &number.to_string(), 11 << 20));
    }
    let ours = by("ours", "scan", 11 << 20);
    place.add_bundle(&image(), &ours);
    let found = referring(&mut place, &image().digest, &wanted("ours")).unwrap();
    assert_eq!(found.bundles[0].bundle, ours);
    let bytes: usize = found.bundles.iter().map(|one| one.bundle.len()).sum();
    assert!(bytes as u64 <= BundleLimits::default().total, "{bytes}");
}
