//! What a fetch finds of signatures, and what stays of those that the store had.

use image_document::media_type::OCI_MANIFEST;
use image_document::{RawManifest, referrer};
use image_layer::{ContentError, sha256};

use super::super::{Found, Signature};
use super::*;

const BUNDLE: &[u8] = br#"{"dsseEnvelope":{}}"#;

/// As a fetch finds it.
fn found(bundles: &[Vec<u8>], subject: &RawManifest) -> Found {
    let referrers = bundles.iter().map(|one| referrer::of_bundle(subject, one));
    Found {
        bundles: referrers.collect::<Result<_, _>>().unwrap(),
        ..Found::default()
    }
}

/// A store that keeps little of what refers to an image, and an image in it.
fn little(limits: BundleLimits) -> (Ground, RawManifest) {
    let mut ground = Ground::new();
    let image = ground.fetch("one").unwrap().manifest_digest().clone();
    ground.store.bundle_limits = limits;
    let subject = RawManifest {
        media_type: OCI_MANIFEST.to_owned(),
        bytes: ground.store.manifest(&image).unwrap(),
        digest: image,
    };
    (ground, subject)
}

#[test]
fn bundles_are_taken_up_to_each_limit_and_no_further() {
    let limits = |count, size, total| BundleLimits { count, size, total };
    let of = |size: usize, byte: u8| vec![byte; size];
    for (limits, taken, refused) in [
        // So many, of such a size, and so many bytes in all.
        (limits(2, 10, 100), vec![of(1, 1), of(1, 2)], of(1, 3)),
        (limits(9, 10, 100), vec![of(10, 1)], of(11, 2)),
        (limits(9, 10, 15), vec![of(10, 1), of(5, 2)], of(1, 3)),
        (limits(9, 10, 15), vec![of(10, 1)], of(6, 2)),
    ] {
        let (ground, subject) = little(limits);
        for bundle in &taken {
            ground.store.add_bundle(&subject.digest, bundle).unwrap();
        }
        let error = ground.store.add_bundle(&subject.digest, &refused);
        assert!(
            matches!(
                error,
                Err(StoreError::Content(ContentError::LimitExceeded { .. }))
            ),
            "{limits:?} {error:?}"
        );
        let known = ground.store.signatures(&subject.digest).unwrap();
        assert_eq!(known.bundles, taken);
    }
}

#[test]
fn of_what_was_known_before_stays_what_fits_beside_what_is_found() {
    let of = |size: usize, byte: u8| vec![byte; size];
    let known = [of(4, 1), of(3, 2), of(2, 3)];
    for (count, total, new, kept) in [
        // Each once, the found ones first.
        (9, 100, vec![of(1, 9)], &known[..]),
        (
            9,
            100,
            vec![known[1].clone()],
            &[known[0].clone(), known[2].clone()][..],
        ),
        // Not more than so many,
        (2, 100, vec![of(1, 9)], &known[..1]),
        (1, 100, vec![of(1, 9)], &[]),
        // nor more bytes: what is too large is left out, and what comes behind it may fit.
        (9, 7, vec![of(2, 9)], &[known[0].clone()]),
        (9, 6, vec![of(2, 9)], &[known[0].clone()]),
        (9, 5, vec![of(2, 9)], &[known[1].clone()]),
        (9, 4, vec![of(2, 9)], &[known[2].clone()]),
    ] {
        let (mut ground, subject) = little(BundleLimits::default());
        for bundle in &known {
            ground.store.add_bundle(&subject.digest, bundle).unwrap();
        }
        ground.store.bundle_limits = BundleLimits {
            count,
            total,
            size: 10,
        };
        let image = &subject.digest;
        ground
            .store
            .add_found(image, &found(&new, &subject))
            .unwrap();
        let expected = [&new[..], kept].concat();
        let read = ground.store.signatures(image).unwrap().bundles;
        assert_eq!(read, expected, "{count} {total}");
    }
}

#[test]
fn of_what_is_found_as_many_are_taken_as_a_record_has() {
    let (mut ground, subject) = little(BundleLimits::default());
    ground.store.bundle_limits.count = 2;
    let all = [vec![1], vec![2], vec![3]];
    let found = found(&all, &subject);
    ground.store.add_found(&subject.digest, &found).unwrap();
    let known = ground.store.signatures(&subject.digest).unwrap();
    assert_eq!(known.bundles, all[..2]);
    // Nothing that is found changes nothing, and makes no record.
    let other = sha256(b"other");
    let nothing = Found::default();
    ground.store.add_found(&other, &nothing).unwrap();
    assert!(!ground.store.signature_record_path(&other).exists());
}

#[test]
fn no_more_bytes_are_read_than_bundles_may_have_together() {
    let (mut ground, subject) = little(BundleLimits::default());
    for bundle in [vec![1; 6], vec![2; 4]] {
        ground.store.add_bundle(&subject.digest, &bundle).unwrap();
    }
    let read = |store: &Store| {
        store
            .signatures(&subject.digest)
            .map(|set| set.bundles.len())
    };
    ground.store.bundle_limits.total = 10;
    assert_eq!(read(&ground.store).unwrap(), 2);
    ground.store.bundle_limits.total = 9;
    assert!(read(&ground.store).is_err());
    ground.store.bundle_limits = BundleLimits {
        count: 9,
        size: 5,
        total: 100,
    };
    assert!(read(&ground.store).is_err());
}

/// A bundle with a statement of this type.
fn statement(kind: &str) -> Vec<u8> {
    use base64::Engine;
    let statement = serde_json::json!({ "predicateType": kind }).to_string();
    let payload = base64::engine::general_purpose::STANDARD.encode(statement);
    serde_json::json!({ "dsseEnvelope": { "payload": payload } })
        .to_string()
        .into_bytes()
}

#[test]
fn statements_that_do_not_matter_are_not_read() {
    let (ground, subject) = little(BundleLimits::default());
    let image = &subject.digest;
    let (sbom, scan) = (
        statement("https://a.io/sbom"),
        statement("https://a.io/scan"),
    );
    for bundle in [&sbom, &scan, &BUNDLE.to_vec()] {
        ground.store.add_bundle(image, bundle).unwrap();
    }
    let of = |kind: &'static str| {
        let set = ground
            .store
            .signatures_that_matter(image, &|one| one == kind);
        set.unwrap().bundles
    };
    // One that says nothing of its type may matter.
    assert_eq!(of("https://a.io/sbom"), [&sbom[..], BUNDLE]);
    assert_eq!(of("https://a.io/other"), [BUNDLE]);
    // What is not read need not be there.
    fs::remove_file(ground.store.blob_path(&sha256(&scan))).unwrap();
    assert_eq!(of("https://a.io/sbom").len(), 2);
    let missing = ground.store.signatures(image).unwrap_err();
    assert!(matches!(missing, StoreError::Missing { .. }), "{missing}");
}

#[test]
fn what_was_added_already_is_not_written_again_and_what_is_gone_is() {
    use std::os::unix::fs::MetadataExt;
    let (ground, subject) = little(BundleLimits::default());
    let image = &subject.digest;
    let found = found(&[b"bundle".to_vec()], &subject);
    ground.store.add_found(image, &found).unwrap();
    let record = || {
        let path = ground.store.signature_record_path(image);
        path.metadata().unwrap().ino()
    };
    let before = record();
    ground.store.add_found(image, &found).unwrap();
    ground.store.add_bundle(image, b"bundle").unwrap();
    assert_eq!(record(), before);
    for damage in [None, Some("other")] {
        let blob = ground.store.blob_path(&sha256(b"bundle"));
        match damage {
            None => fs::remove_file(&blob).unwrap(),
            Some(text) => fs::write(&blob, text).unwrap(),
        }
        ground.store.add_found(image, &found).unwrap();
        assert_eq!(fs::read(&blob).unwrap(), b"bundle");
    }
    let (one, two) = (b"one".to_vec(), "b25l".to_owned());
    ground.store.add_signature(image, &one, &two).unwrap();
    let before = record();
    ground.store.add_signature(image, &one, &two).unwrap();
    assert_eq!(record(), before);
}

fn simple(name: &str) -> Signature {
    Signature {
        payload: name.into(),
        signature: name.to_owned(),
    }
}

/// As a fetch finds it in cosign's tag, with its manifest as it is there or with the signatures alone.
fn found_simple(names: &[&str], with_manifest: bool) -> Found {
    let mut manifest: Option<(Vec<u8>, Vec<u8>)> = None;
    for name in names {
        let before = manifest.as_ref().map(|(manifest, _)| manifest.as_slice());
        let added = image_document::cosign::append(before, name.as_bytes(), name);
        let added = added.unwrap().unwrap();
        manifest = Some((added.manifest, added.config));
    }
    Found {
        manifest: manifest.filter(|_| with_manifest),
        simple: names.iter().map(|name| simple(name)).collect(),
        bundles: Vec::new(),
    }
}

#[test]
fn signatures_that_the_origin_has_come_before_those_that_the_store_alone_has() {
    for with_manifest in [true, false] {
        let (ground, subject) = little(BundleLimits::default());
        let image = &subject.digest;
        let read = || ground.store.signatures(image).unwrap().simple;
        let find = |names: &[&str]| {
            let found = found_simple(names, with_manifest);
            ground.store.add_found(image, &found).unwrap();
        };
        ground.store.add_signature(image, b"own", "own").unwrap();
        find(&["a"]);
        assert_eq!(read(), [simple("a"), simple("own")]);
        find(&["own", "b"]);
        assert_eq!(read(), [simple("own"), simple("b"), simple("a")]);
        // Where the origin's manifest can be kept as it is, it is what it was.
        if with_manifest {
            let (ground, subject) = little(BundleLimits::default());
            let image = &subject.digest;
            let found = found_simple(&["a", "b"], true);
            ground.store.add_found(image, &found).unwrap();
            let (manifest, config) = found.manifest.unwrap();
            let record = ground.store.signature_record(image).unwrap().unwrap();
            assert_eq!(record.simple, Some(sha256(&manifest)));
            let blobs = ground.store.signature_blobs(image).unwrap();
            let kept = [&manifest, &config, &b"a".to_vec(), &b"b".to_vec()];
            assert_eq!(blobs, kept.map(|blob| sha256(blob)));
            assert!(
                blobs
                    .iter()
                    .all(|blob| ground.store.has_blob(blob).unwrap())
            );
        }
    }
}

#[test]
fn as_many_signatures_are_kept_as_are_looked_at() {
    let (ground, subject) = little(BundleLimits::default());
    let image = &subject.digest;
    for name in ["own", "other"] {
        ground
            .store
            .add_signature(image, name.as_bytes(), name)
            .unwrap();
    }
    let names: Vec<String> = (0..127).map(|number| number.to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let found = found_simple(&names, true);
    ground.store.add_found(image, &found).unwrap();
    let known = ground.store.signatures(image).unwrap().simple;
    assert_eq!((known.len(), known.last()), (128, Some(&simple("own"))));
}

#[test]
fn signatures_that_can_not_be_read_are_repaired_by_a_fetch_and_not_overwritten_in_the_dark() {
    let (ground, subject) = little(BundleLimits::default());
    let image = &subject.digest;
    ground.store.add_signature(image, b"own", "own").unwrap();
    let record = ground.store.signature_record_path(image);
    fs::write(&record, "torn").unwrap();
    let error = ground.store.signatures(image).unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    let found = found_simple(&["a"], true);
    ground.store.add_found(image, &found).unwrap();
    let known = ground.store.signatures(image).unwrap().simple;
    assert_eq!(known, [simple("a")]);
    // One that can't be read just now may be good.
    fs::remove_file(&record).unwrap();
    fs::create_dir(&record).unwrap();
    for error in [
        ground.store.signatures(image).map(drop).unwrap_err(),
        ground.store.add_found(image, &found).unwrap_err(),
        ground.store.add_bundle(image, BUNDLE).unwrap_err(),
    ] {
        assert!(error.to_string().contains("cannot read"), "{error}");
    }
}
