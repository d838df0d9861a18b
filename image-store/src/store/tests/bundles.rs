use image_document::media_type::OCI_MANIFEST;
use image_document::{RawManifest, referrer};
use image_layer::{ContentError, sha256};
use image_name::Digest;

use super::super::{Signature, SignatureSet};
use super::*;

const BUNDLE: &[u8] = br#"{"dsseEnvelope":{}}"#;

/// Adds a bundle about an image to the layout that the image comes from.
fn refer(ground: &mut Ground, tag: &str, subject: &Digest, bundle: &[u8]) {
    let image = RawManifest {
        media_type: OCI_MANIFEST.to_owned(),
        bytes: fs::read(ground.layout.blob_path(subject)).unwrap(),
        digest: subject.clone(),
    };
    let made = referrer::of_bundle(&image, bundle).unwrap();
    ground.layout.blob(&made.config);
    ground.layout.blob(&made.bundle);
    let manifest = ground.layout.blob(&made.manifest);
    let raw = RawManifest {
        media_type: OCI_MANIFEST.to_owned(),
        digest: manifest,
        bytes: made.manifest,
    };
    let list = referrer::add_to_list(None, &raw).unwrap().unwrap();
    ground
        .layout
        .document(tag, image_document::media_type::OCI_INDEX, &list);
}

#[test]
fn bundles_come_with_a_fetch_and_stay_as_long_as_the_image() {
    let mut ground = Ground::new();
    let image = ground.fetch("one").unwrap().manifest_digest().clone();
    assert!(ground.store.signatures(&image).unwrap().is_empty());
    let tag = referrer::tag(&image);
    refer(&mut ground, &tag, &image, BUNDLE);
    ground.fetch("one").unwrap();
    assert_eq!(ground.store.signatures(&image).unwrap().bundles, [BUNDLE]);

    // One that is made here comes behind, and a later fetch keeps both.
    ground.store.add_bundle(&image, b"{\"own\":1}").unwrap();
    ground.store.add_bundle(&image, b"{\"own\":1}").unwrap();
    ground.store.add_signature(&image, b"p", "cA==").unwrap();
    ground.fetch("one").unwrap();
    let known = ground.store.signatures(&image).unwrap();
    assert_eq!(known.bundles, [BUNDLE, &b"{\"own\":1}"[..]]);
    assert_eq!(known.simple.len(), 1);

    assert_eq!(ground.collect().blobs, 0);
    assert_eq!(ground.store.signatures(&image).unwrap(), known);
    let name = Reference::parse("a.io/one").unwrap();
    ground.store.remove(&name).unwrap().unwrap();
    assert_eq!(ground.collect().signatures, 1);
    let left = fs::read_dir(ground.store.blobs_folder()).unwrap().count();
    assert_eq!(left, 0);
}

#[test]
fn a_bundle_that_was_changed_in_the_store_is_told() {
    let ground = Ground::new();
    let image = ground.fetch("one").unwrap().manifest_digest().clone();
    ground.store.add_bundle(&image, BUNDLE).unwrap();
    let path = ground.store.blob_path(&sha256(BUNDLE));
    fs::write(path, "{}").unwrap();
    let error = ground.store.signatures(&image).unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    let unknown = ground.store.add_bundle(&sha256(b"unknown"), BUNDLE);
    assert!(matches!(unknown, Err(StoreError::Missing { .. })));
}

#[test]
fn bundles_have_a_limit() {
    let ground = Ground::new();
    let image = ground.fetch("one").unwrap().manifest_digest().clone();
    let large = vec![b' '; 17 << 20];
    let error = ground.store.add_bundle(&image, &large).unwrap_err();
    assert!(
        matches!(
            error,
            StoreError::Content(ContentError::LimitExceeded { .. })
        ),
        "{error}"
    );
    for number in 0..4_u8 {
        let large = vec![number; 16 << 20];
        ground.store.add_bundle(&image, &large).unwrap();
    }
    let error = ground.store.add_bundle(&image, BUNDLE).unwrap_err();
    assert!(
        matches!(
            error,
            StoreError::Content(ContentError::LimitExceeded { .. })
        ),
        "{error}"
    );
    let known = ground.store.signatures(&image).unwrap();
    assert_eq!(known.bundles.len(), 4);
    // Nor are more read than all may have together, whatever a record says.
    let path = ground.store.signature_record_path(&image);
    let mut record: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let bundles = record["bundles"].as_array_mut().unwrap();
    bundles.push(bundles[0].clone());
    fs::write(&path, record.to_string()).unwrap();
    let error = ground.store.signatures(&image).unwrap_err();
    assert!(
        matches!(
            error,
            StoreError::Content(ContentError::LimitExceeded { .. })
        ),
        "{error}"
    );
}

#[test]
fn what_a_fetch_brings_comes_first_and_of_the_others_stays_what_fits() {
    let mut ground = Ground::new();
    let image = ground.fetch("one").unwrap().manifest_digest().clone();
    let old: Vec<Vec<u8>> = [16 << 20, 16 << 20, 16 << 20, 15 << 20, 10]
        .into_iter()
        .zip(0..)
        .map(|(size, byte): (usize, u8)| vec![byte; size])
        .collect();
    for bundle in &old {
        ground.store.add_bundle(&image, bundle).unwrap();
    }
    let new = vec![b'n'; 2 << 20];
    refer(&mut ground, &referrer::tag(&image), &image, &new);
    ground.fetch("one").unwrap();
    let known = ground.store.signatures(&image).unwrap().bundles;
    // Two and three times sixteen, then fifteen would be one too many.
    let expected = [&new, &old[0], &old[1], &old[2], &old[4]];
    let sizes = |bundles: &[Vec<u8>]| bundles.iter().map(Vec::len).collect::<Vec<_>>();
    assert!(known.iter().eq(expected), "{:?}", sizes(&known));
}

#[test]
fn sets_that_are_merged_have_each_signature_once() {
    let simple = |name: &str| Signature {
        payload: name.into(),
        signature: name.to_owned(),
    };
    let set = |names: &[&str]| SignatureSet {
        simple: names.iter().map(|name| simple(name)).collect(),
        bundles: names.iter().map(|name| name.as_bytes().to_vec()).collect(),
    };
    let mut merged = set(&["a", "b"]);
    merged.merge(set(&["b", "c"]));
    assert_eq!(merged, set(&["a", "b", "c"]));
    assert_eq!(merged.len(), 6);
    assert!(!merged.is_empty());
    for half in [
        SignatureSet {
            simple: Vec::new(),
            ..set(&["a"])
        },
        SignatureSet {
            bundles: Vec::new(),
            ..set(&["a"])
        },
    ] {
        assert!(!half.is_empty());
    }
    assert!(set(&[]).is_empty());
}
