//! Images that are copied to a registry.

use image_document::cosign;
use image_document::media_type::OCI_MANIFEST;
use image_layer::{Limits, sha256};
use image_name::{Digest, Reference};
use image_registry::fixture::{Reply, Server, keeping};
use image_registry::{Registries, push_signature};

use super::{CopyOptions, copy};
use crate::error::StoreError;
use crate::fixture::{Tar, TestLayer, TestLayout};
use crate::source::ImageSource;
use crate::store::Store;

/// The path at which the registry keeps a document.
fn manifest_path(name: &str) -> String {
    format!("/v2/a/manifests/{name}")
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
    let name = Reference::parse(&format!("{}/a", server.authority)).unwrap();
    let (registries, limits) = (Registries::default(), Limits::default());
    push_signature(&name, &image, b"theirs", "dGhlaXJz", &registries, &limits).unwrap();
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
