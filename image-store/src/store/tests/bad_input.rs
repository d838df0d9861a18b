//! Images that are not as they should be: one clear error each, and nothing left in the store.

use std::fs;

use image_document::media_type::{OCI_CONFIG, OCI_INDEX, OCI_MANIFEST};
use image_document::{DocumentError, Platform};
use image_layer::{ContentError, sha256};

use serde_json::json;

use super::{Ground, application, base, collect, contents, named, options, platform};
use crate::error::StoreError;
use crate::fixture::{Tar, TestLayer, Tmpfs, gzip};
use crate::options::FetchOptions;
use crate::store::Store;

/// The error of a fetch that leaves nothing.
fn failing(ground: &Ground, tag: &str) -> StoreError {
    let error = ground.fetch(tag).unwrap_err();
    assert!(ground.contents().is_empty(), "{:?}", ground.contents());
    assert!(!error.to_string().contains('\n'));
    error
}

#[test]
fn a_layer_with_other_bytes() {
    let ground = Ground::new();
    let path = ground.layout.blob_path(&sha256(&base().blob));
    let mut bytes = fs::read(&path).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&path, &bytes).unwrap();
    assert!(matches!(
        failing(&ground, "one"),
        StoreError::Content(ContentError::DigestMismatch { .. })
    ));
}

#[test]
fn a_layer_that_breaks_off() {
    let ground = Ground::new();
    let path = ground.layout.blob_path(&sha256(&base().blob));
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 20]).unwrap();
    let error = failing(&ground, "one");
    assert!(
        matches!(
            error,
            StoreError::Content(ContentError::Truncated { .. })
                | StoreError::Content(ContentError::SizeMismatch { .. })
        ),
        "{error:?}"
    );
}

#[test]
fn a_layer_that_is_gone() {
    let ground = Ground::new();
    fs::remove_file(ground.layout.blob_path(&sha256(&base().blob))).unwrap();
    failing(&ground, "one");
}

#[test]
fn layers_that_were_made_badly() {
    let mut ground = Ground::new();
    let tar = Tar::default().file("f", b"x").end();
    let mut corrupt = gzip(&tar);
    corrupt[12..20].fill(0xff);
    let layer = |blob: Vec<u8>, tar: &[u8]| TestLayer {
        blob,
        diff_id: sha256(tar),
    };
    ground
        .layout
        .image("corrupt", &[base(), layer(corrupt, &tar)]);
    assert!(matches!(
        failing(&ground, "corrupt"),
        StoreError::Content(ContentError::CorruptCompression { .. })
    ));
    let cut = gzip(&tar);
    ground
        .layout
        .image("cut", &[base(), layer(cut[..cut.len() - 4].to_vec(), &tar)]);
    assert!(matches!(
        failing(&ground, "cut"),
        StoreError::Content(ContentError::Truncated { .. })
    ));
    ground
        .layout
        .image("other", &[base(), layer(gzip(&tar), b"other")]);
    assert!(matches!(
        failing(&ground, "other"),
        StoreError::Content(ContentError::DigestMismatch { .. })
    ));
    let evil = Tar::default().file("../evil", b"x").end();
    ground
        .layout
        .image("evil", &[base(), TestLayer::gzip(&evil)]);
    assert!(matches!(
        failing(&ground, "evil"),
        StoreError::Content(ContentError::UnsafeEntry { .. })
    ));
    assert!(!ground.folder.path().join("evil").exists());
}

#[test]
fn documents_that_are_none() {
    let mut ground = Ground::new();
    ground.layout.document("text", OCI_MANIFEST, b"not json");
    assert!(matches!(
        failing(&ground, "text"),
        StoreError::Document(DocumentError::NotJson { .. })
    ));
    let both = br#"{"schemaVersion":2,"layers":[],"manifests":[]}"#;
    ground.layout.document("both", OCI_MANIFEST, both);
    assert!(matches!(
        failing(&ground, "both"),
        StoreError::Document(DocumentError::BadManifest { .. })
    ));
    ground
        .layout
        .document("index", OCI_INDEX, br#"{"schemaVersion":2,"manifests":[]}"#);
    assert!(matches!(
        failing(&ground, "index"),
        StoreError::Document(DocumentError::NoPlatform { .. })
    ));
}

/// A manifest and a configuration of so many bytes: white space follows them.
fn sized(ground: &mut Ground, manifest_size: usize, config_size: usize) {
    let padded = |text: String, size: usize| format!("{text}{}", " ".repeat(size - text.len()));
    let layer = application("sized");
    let config = json!({
        "architecture": "amd64",
        "os": "linux",
        "rootfs": { "type": "layers", "diff_ids": [layer.diff_id] },
    });
    let config = padded(config.to_string(), config_size);
    let named = |media_type: &str, bytes: &[u8]| {
        let digest = ground.layout.blob(bytes);
        json!({"mediaType": media_type, "digest": digest, "size": bytes.len()})
    };
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": named(OCI_CONFIG, config.as_bytes()),
        "layers": [named("application/vnd.oci.image.layer.v1.tar+gzip", &layer.blob)],
    });
    let manifest = padded(manifest.to_string(), manifest_size);
    ground
        .layout
        .document("sized", OCI_MANIFEST, manifest.as_bytes());
}

#[test]
fn documents_as_large_as_their_bounds_are_taken_and_larger_ones_are_not() {
    let most = 4 << 20;
    for (manifest, config, taken) in [
        (most, most, true),
        (most + 1, 1000, false),
        (1000, most + 1, false),
    ] {
        let mut ground = Ground::new();
        sized(&mut ground, manifest, config);
        if taken {
            let digest = ground.fetch("sized").unwrap().manifest_digest().clone();
            // What was taken can be read.
            ground.store.image(&digest, &platform()).unwrap();
            assert!(ground.collect().damaged.is_empty());
            continue;
        }
        let error = failing(&ground, "sized");
        assert!(
            matches!(
                &error,
                StoreError::Content(ContentError::LimitExceeded { .. })
            ),
            "{error}"
        );
    }
}

#[test]
fn an_image_of_another_platform() {
    let ground = Ground::new();
    let options = FetchOptions {
        platform: "linux/s390x".parse().unwrap(),
        ..options()
    };
    let error = ground
        .store
        .begin_fetch(&ground.layout.source("one"), &options)
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("linux/s390x (available: linux/amd64)"),
        "{error}"
    );
}

#[test]
fn an_index_gives_the_member_of_the_platform() {
    let mut ground = Ground::new();
    let member = ground.layout.image("member", &[base()]);
    let size = fs::metadata(ground.layout.blob_path(&member))
        .unwrap()
        .len();
    let index = |size: u64| {
        format!(
            r#"{{"schemaVersion":2,"manifests":[{{"mediaType":"{OCI_MANIFEST}","digest":"{member}",
               "size":{size},"platform":{{"os":"linux","architecture":"amd64"}}}}]}}"#
        )
    };
    let top = ground
        .layout
        .document("good", OCI_INDEX, index(size).as_bytes());
    ground
        .layout
        .document("wrong", OCI_INDEX, index(size + 1).as_bytes());
    let error = ground.fetch("wrong").unwrap_err();
    assert!(
        matches!(
            error,
            StoreError::Content(ContentError::SizeMismatch { .. })
        ),
        "{error:?}"
    );
    let image = ground.fetch("good").unwrap();
    assert_eq!(image.chain(), [top.clone(), member.clone()]);
    assert_eq!(image.manifest_digest(), &member);
    let amd64: Platform = "linux/amd64".parse().unwrap();
    assert_eq!(
        ground.store.image(&top, &amd64).unwrap().chain(),
        image.chain()
    );
    assert_eq!(
        ground
            .store
            .find(&member.hex()[..10])
            .unwrap()
            .unwrap()
            .digest,
        top
    );
}

#[test]
fn a_full_file_system_keeps_what_was_there() {
    let mut ground = Ground::new();
    let large = vec![b'x'; 4 << 20];
    let layer = TestLayer::gzip(&Tar::default().file("large", &large).end());
    ground.layout.image("large", &[base(), layer]);
    let small = Tmpfs::new("2m");
    let store = Store::open(&small.path().join("images"));
    let fetch = |tag: &str| {
        let options = named(&format!("a.io/{tag}"));
        store
            .begin_fetch(&ground.layout.source(tag), &options)
            .and_then(|fetch| fetch.complete(&mut |_| {}))
            .map(|(image, _)| image)
    };
    fetch("one").unwrap();
    let before = contents(store.path());
    let error = fetch("large").unwrap_err();
    assert!(
        matches!(error, StoreError::Content(ContentError::NoSpace { .. })),
        "{error:?}"
    );
    assert_eq!(contents(store.path()), before);
    // With not one block left, what is there can still be used and collected.
    let filler = fs::write(small.path().join("filler"), vec![0; 4 << 20]);
    let full = filler.unwrap_err();
    assert_eq!(full.kind(), std::io::ErrorKind::StorageFull, "{full}");
    let error = fetch("two").unwrap_err();
    assert!(
        matches!(error, StoreError::Content(ContentError::NoSpace { .. })),
        "{error:?}"
    );
    assert_eq!(contents(store.path()), before);
    store.remove(&ground.reference("one")).unwrap();
    collect(&store);
    assert!(contents(store.path()).is_empty());
}

#[test]
fn addresses_that_an_image_names_are_not_asked() {
    // CVE-2020-15157: whoever made the image would learn of the fetch, and of credentials.
    let elsewhere = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let url = format!("http://{}/layer", elsewhere.local_addr().unwrap());
    let mut ground = Ground::new();
    let layer = base();
    let config = serde_json::json!({
        "architecture": "amd64",
        "os": "linux",
        "rootfs": { "type": "layers", "diff_ids": [layer.diff_id.to_string()] },
    });
    let config = config.to_string();
    let manifest = |media_type: &str, digest: &str| {
        serde_json::json!({
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": {
                "mediaType": image_document::media_type::OCI_CONFIG,
                "digest": ground.layout.blob(config.as_bytes()),
                "size": config.len(),
                "urls": [url],
            },
            "layers": [{
                "mediaType": media_type,
                "digest": digest,
                "size": layer.blob.len(),
                "urls": [url],
            }],
        })
        .to_string()
    };
    let (present, absent) = (sha256(&layer.blob).to_string(), sha256(b"none").to_string());
    let marked = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";
    let foreign = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
    let (here, gone, docker) = (
        manifest(marked, &present),
        manifest(marked, &absent),
        manifest(foreign, &present),
    );
    ground
        .layout
        .document("gone", OCI_MANIFEST, gone.as_bytes());
    failing(&ground, "gone");
    ground
        .layout
        .document("docker", OCI_MANIFEST, docker.as_bytes());
    let error = failing(&ground, "docker").to_string();
    assert!(error.contains("foreign"), "{error}");
    ground
        .layout
        .document("here", OCI_MANIFEST, here.as_bytes());
    ground.fetch("here").unwrap();
    let asked = elsewhere.accept().map(|_| ()).unwrap_err();
    assert_eq!(asked.kind(), std::io::ErrorKind::WouldBlock);
}

#[test]
fn a_record_that_is_not_a_small_file_is_damaged_and_nothing_waits_for_it() {
    let ground = Ground::new();
    ground.fetch("one").unwrap();
    let (name, folder) = (ground.reference("one"), ground.store.path().join("refs"));
    let path = fs::read_dir(&folder)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let good = fs::read(&path).unwrap();
    let elsewhere = ground.store.path().join("elsewhere");
    fs::write(&elsewhere, &good).unwrap();
    let told = |make: &dyn Fn()| {
        fs::remove_file(&path).unwrap();
        make();
        match ground.store.resolve(&name) {
            Err(StoreError::Damaged { reason, .. }) => reason,
            other => panic!("{other:?}"),
        }
    };
    let not_a_file = "it is not a file";
    let link = || std::os::unix::fs::symlink(&elsewhere, &path).unwrap();
    assert_eq!(told(&link), not_a_file);
    let (at, mode) = (rustix::fs::CWD, rustix::fs::Mode::from_raw_mode(0o600));
    let fifo = || rustix::fs::mknodat(at, &path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    assert_eq!(told(&fifo), not_a_file);
    let large = || fs::write(&path, vec![b' '; 2 << 20]).unwrap();
    assert_eq!(told(&large), "it is too large");
    fs::write(&path, &good).unwrap();
    assert!(ground.store.resolve(&name).unwrap().is_some());
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    let error = ground.store.resolve(&name).unwrap_err();
    assert!(error.to_string().contains(not_a_file), "{error}");
}
