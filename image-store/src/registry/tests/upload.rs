use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use image_document::cosign;
use image_document::media_type::OCI_MANIFEST;

use super::super::push::{add_bundle, add_signature};
use super::*;
use crate::copy::{CopyOptions, copy};
use crate::fixture::{Tar, TestLayer, TestLayout};
use crate::source::ImageSource;
use crate::store::Store;

type Objects = Arc<Mutex<BTreeMap<String, Vec<u8>>>>;

/// A registry that keeps what is written to it, with or without an API for referrers.
fn keeping(with_api: bool) -> (Server, Objects) {
    let objects = Objects::default();
    let kept = Arc::clone(&objects);
    let server = Server::start(move |seen| {
        let mut kept = kept.lock().unwrap();
        let path = seen.target.split('?').next().unwrap().to_owned();
        let body: serde_json::Value = serde_json::from_slice(&seen.body).unwrap_or_default();
        match seen.method.as_str() {
            "POST" => Reply::new(202, "").header("Location", "/v2/a/blobs/uploads/1?s=s"),
            "PUT" if path.contains("/uploads/") => {
                let digest = sha256(&seen.body);
                assert!(seen.target.ends_with(&format!("digest={digest}")));
                kept.insert(format!("/v2/a/blobs/{digest}"), seen.body.clone());
                Reply::new(201, "")
            }
            "PUT" => {
                let digest = sha256(&seen.body);
                for path in [path, format!("/v2/a/manifests/{digest}")] {
                    kept.insert(path, seen.body.clone());
                }
                match body["subject"]["digest"].as_str() {
                    Some(subject) if with_api => Reply::new(201, "").header("OCI-Subject", subject),
                    _ => Reply::new(201, ""),
                }
            }
            _ => match kept.get(&path) {
                Some(bytes) => Reply::new(200, bytes.clone()),
                None => Reply::new(404, ""),
            },
        }
    });
    (server, objects)
}

fn manifest_path(name: &str) -> String {
    format!("/v2/a/manifests/{name}")
}

#[test]
fn a_bundle_is_listed_at_the_tag_only_where_the_registry_does_not_list_it() {
    for with_api in [true, false] {
        let (server, objects) = keeping(with_api);
        let image = sha256(MANIFEST);
        let path = manifest_path(image.as_ref());
        objects.lock().unwrap().insert(path, MANIFEST.to_vec());
        let mut client = pusher(&server, "a");
        let mut made = Vec::new();
        for bundle in [&b"{\"a\":1}"[..], b"{\"b\":2}", b"{\"a\":1}"] {
            made.push(add_bundle(&mut client, &image, bundle, 1 << 20).unwrap());
        }
        assert_eq!(made[0], made[2], "the same bundle is the same referrer");
        let objects = objects.lock().unwrap();
        let manifest = &objects[&manifest_path(made[0].as_ref())];
        let manifest: serde_json::Value = serde_json::from_slice(manifest).unwrap();
        assert_eq!(manifest["subject"]["digest"], image.as_ref());
        assert_eq!(manifest["subject"]["size"], MANIFEST.len());
        let list = objects.get(&manifest_path(&format!("sha256-{}", image.hex())));
        assert_eq!(list.is_none(), with_api);
        if let Some(list) = list {
            let list: serde_json::Value = serde_json::from_slice(list).unwrap();
            let digests: Vec<_> = list["manifests"]
                .as_array()
                .unwrap()
                .iter()
                .map(|entry| entry["digest"].clone())
                .collect();
            assert_eq!(digests, [made[0].as_ref(), made[1].as_ref()]);
        }
    }
}

#[test]
fn a_bundle_about_nothing_is_not_pushed() {
    let (server, objects) = keeping(true);
    let error = add_bundle(&mut pusher(&server, "a"), &sha256(b"x"), b"{}", 1 << 20).unwrap_err();
    assert!(matches!(error, StoreError::UnknownImage { .. }), "{error}");
    assert!(objects.lock().unwrap().is_empty());
}

/// A layout with a signed image, and its digest.
fn signed_layout(folder: &std::path::Path) -> (TestLayout, Digest) {
    let mut layout = TestLayout::new(folder);
    let tar = Tar::default().file("a", b"content").end();
    let image = layout.image("one", &[TestLayer::gzip(&tar)]);
    let signed = cosign::append(None, b"payload", "b3du").unwrap().unwrap();
    layout.blob(b"payload");
    layout.blob(&signed.config);
    let tag = cosign::tag(&image, "sig");
    layout.document(&tag, OCI_MANIFEST, &signed.manifest);
    (layout, image)
}

#[test]
fn signatures_that_are_there_are_kept_and_the_name_comes_last() {
    let folder = tempfile::tempdir().unwrap();
    let (layout, image) = signed_layout(&folder.path().join("layout"));
    let store = Store::open(&folder.path().join("images"));
    let (server, objects) = keeping(false);
    add_signature(
        &mut pusher(&server, "a"),
        &image,
        b"theirs",
        "dGhlaXJz",
        1 << 20,
    )
    .unwrap();
    let to = format!("docker://{}/a:1", server.authority);
    let to = ImageSource::parse(&to).unwrap();
    let options = CopyOptions::default();
    let from = layout.source("one");
    for _ in 0..2 {
        let copied = copy(&store, &from, &to, &options, &mut |_| {}).unwrap();
        assert_eq!(copied.digest, image);
    }
    let objects = objects.lock().unwrap();
    let signatures = &objects[&manifest_path(&cosign::tag(&image, "sig"))];
    let signatures: serde_json::Value = serde_json::from_slice(signatures).unwrap();
    let found: Vec<_> = signatures["layers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|layer| layer["annotations"][cosign::SIGNATURE].clone())
        .collect();
    assert_eq!(found, ["dGhlaXJz", "b3du"]);
    let config = signatures["config"]["digest"].as_str().unwrap();
    assert!(objects.contains_key(&format!("/v2/a/blobs/{config}")));
    let lines = server.lines();
    assert_eq!(lines.last().unwrap(), "PUT /v2/a/manifests/1");
    // What waited in the store on its way is gone.
    let left = std::fs::read_dir(store.path().join("tmp")).map_or(0, Iterator::count);
    assert_eq!(left, 0);
}

#[test]
fn a_registry_that_breaks_off_gets_no_name_and_nothing_stays() {
    let folder = tempfile::tempdir().unwrap();
    let (layout, _) = signed_layout(&folder.path().join("layout"));
    let archive = folder.path().join("image.tar");
    let store = Store::open(&folder.path().join("images"));
    let to_file = ImageSource::OciArchive {
        path: archive,
        tag: None,
    };
    let options = CopyOptions::default();
    copy(
        &store,
        &layout.source("one"),
        &to_file,
        &options,
        &mut |_| {},
    )
    .unwrap();
    let server = Server::start(|seen| match seen.method.as_str() {
        "POST" => Reply::new(202, "").header("Location", "/v2/a/blobs/uploads/1"),
        "PUT" => Reply::new(
            413,
            r#"{"errors":[{"code":"SIZE_INVALID","message":"too big"}]}"#,
        ),
        _ => Reply::new(404, ""),
    });
    let to = ImageSource::parse(&format!("{}/a:1", server.authority)).unwrap();
    let error = copy(&store, &to_file, &to, &options, &mut |_| {}).unwrap_err();
    assert!(error.to_string().contains("too big"), "{error}");
    let lines = server.lines();
    assert!(
        lines
            .iter()
            .all(|line| !line.contains("PUT /v2/a/manifests"))
    );
    let left = std::fs::read_dir(store.path().join("tmp")).map_or(0, Iterator::count);
    assert_eq!(left, 0);
    let wrong = format!("{}/a:1@{}", server.authority, sha256(b"another"));
    let wrong = ImageSource::parse(&wrong).unwrap();
    let error = copy(&store, &to_file, &wrong, &options, &mut |_| {}).unwrap_err();
    assert!(
        matches!(error, StoreError::InvalidReference { .. }),
        "{error}"
    );
}
