use std::fs::File;
use std::path::PathBuf;

use image_document::media_type;
use image_layer::sha256;
use serde_json::{Value, json};

use super::*;

struct Archive {
    dir: tempfile::TempDir,
}

impl Archive {
    fn new(files: &[(&str, &[u8])]) -> Self {
        let archive = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        let mut builder = tar::Builder::new(File::create(archive.path()).unwrap());
        for (name, bytes) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            builder.append_data(&mut header, name, *bytes).unwrap();
        }
        builder.finish().unwrap();
        archive
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("image.tar")
    }

    fn docker(&self, tag: Option<&str>) -> Result<ArchiveOrigin, StoreError> {
        ArchiveOrigin::open_docker(&self.path(), tag, &Unpacking::none())
    }
}

fn items(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}

#[test]
fn a_docker_archive_gets_a_manifest() {
    let gzip = b"\x1f\x8bcompressed";
    let manifest = items(&json!([{
        "Config": "c.json", "RepoTags": ["busybox:1"],
        "Layers": ["a/layer.tar", "b.tar.gz", "a/layer.tar"],
    }]));
    let archive = Archive::new(&[
        ("a/layer.tar", b"plain"),
        ("b.tar.gz", gzip),
        ("c.json", b"{}"),
        ("manifest.json", &manifest),
    ]);
    assert_eq!(detect(&archive.path()).unwrap(), Kind::Docker);
    let mut origin = archive.docker(None).unwrap();
    let top = origin.top().unwrap();
    assert_eq!(top.digest, sha256(&top.bytes));
    let value: Value = serde_json::from_slice(&top.bytes).unwrap();
    assert_eq!(value["config"]["digest"], sha256(b"{}").to_string());
    let layers = value["layers"].as_array().unwrap();
    assert_eq!(layers.len(), 3);
    assert_eq!(layers[0], layers[2]);
    assert_eq!(layers[0]["mediaType"], media_type::OCI_LAYER);
    assert_eq!(
        layers[1]["mediaType"],
        format!("{}+gzip", media_type::OCI_LAYER)
    );
    for content in [&b"plain"[..], gzip, b"{}"] {
        let mut bytes = Vec::new();
        let size = content.len() as u64;
        origin
            .blob(&sha256(content), size)
            .unwrap()
            .read_to_end(&mut bytes)
            .unwrap();
        assert_eq!(bytes, content);
    }
    assert_eq!(
        origin.name().unwrap().to_string(),
        "docker.io/library/busybox:1"
    );
    assert!(origin.signature_manifest(&top.digest).unwrap().is_none());
    assert_eq!(
        archive.docker(None).unwrap().top().unwrap().digest,
        top.digest
    );
}

#[test]
fn one_of_several_images_is_chosen_by_tag() {
    let image = |config: &str, tags: &[&str]| json!({ "Config": config, "RepoTags": tags });
    let manifest = items(&json!([
        image("1", &["a:1", "a:2"]),
        image("2", &["q.io/b:1"])
    ]));
    let archive = Archive::new(&[
        ("manifest.json", &manifest),
        ("1", b"{\"a\":1}"),
        ("2", b"{\"a\":2}"),
    ]);
    let config = |tag| {
        let top = archive.docker(tag)?.top()?;
        let value: Value = serde_json::from_slice(&top.bytes).unwrap();
        Ok::<_, StoreError>(value["config"]["digest"].as_str().unwrap().to_owned())
    };
    assert_eq!(
        config(Some("a:2")).unwrap(),
        sha256(b"{\"a\":1}").to_string()
    );
    assert_eq!(
        config(Some("docker.io/library/a:1")).unwrap(),
        config(Some("a:2")).unwrap()
    );
    assert_eq!(
        config(Some("q.io/b:1")).unwrap(),
        sha256(b"{\"a\":2}").to_string()
    );
    assert!(matches!(
        config(Some("c")),
        Err(StoreError::UnknownImage { .. })
    ));
    let several = config(None).unwrap_err();
    assert!(
        matches!(&several, StoreError::SeveralImages { names, .. } if names.contains(&"q.io/b:1".to_owned())),
        "{several}"
    );
}

#[test]
fn incomplete_docker_archives_say_what_is_missing() {
    let refused = |manifest: Value, part: &str| {
        let archive = Archive::new(&[("manifest.json", &items(&manifest)), ("c", b"{}")]);
        let Err(error) = archive.docker(None) else {
            panic!("accepted {manifest}")
        };
        assert!(error.to_string().contains(part), "{error}");
    };
    refused(json!([{ "Config": "gone" }]), "\"gone\" is missing");
    refused(json!([{ "Config": "../../etc/passwd" }]), "is missing");
    refused(
        json!([{ "Config": "c", "Layers": ["/etc/passwd"] }]),
        "is missing",
    );
    refused(json!([]), "no image");
    refused(json!({ "Config": "c" }), "not valid JSON");
    refused(
        json!([{ "Config": "c", "Layers": vec!["c"; 501] }]),
        "500 layers",
    );
    let other = Archive::new(&[("x", b"x")]);
    assert!(
        other
            .docker(None)
            .err()
            .unwrap()
            .to_string()
            .contains("no manifest.json")
    );
    assert_eq!(detect(&other.path()).unwrap(), Kind::Other);
}

/// A file, and what is in it packed in each way that layers are read in.
fn packed(plain: &std::path::Path) -> Vec<PathBuf> {
    let bytes = std::fs::read(plain).unwrap();
    let made = [
        ("gz", crate::fixture::gzip(&bytes)),
        ("zst", crate::fixture::zstd(&bytes)),
    ];
    let mut paths: Vec<PathBuf> = made
        .into_iter()
        .map(|(end, bytes)| {
            let path = plain.with_extension(end);
            std::fs::write(&path, bytes).unwrap();
            path
        })
        .collect();
    let xz = std::process::Command::new("xz")
        .args(["-0", "--keep"])
        .arg(plain)
        .status();
    assert!(xz.unwrap().success());
    paths.push(plain.with_extension("tar.xz"));
    paths
}

#[test]
fn a_compressed_archive_is_what_is_in_it() {
    let manifest = items(&json!([{ "Config": "c.json", "Layers": ["a/layer.tar"] }]));
    let archive = Archive::new(&[
        ("a/layer.tar", b"plain"),
        ("c.json", b"{}"),
        ("manifest.json", &manifest),
    ]);
    let top = archive.docker(None).unwrap().top().unwrap().digest;
    let place = tempfile::tempdir().unwrap();
    let store = crate::Store::open(place.path());
    for path in packed(&archive.path()) {
        assert_eq!(detect(&path).unwrap(), Kind::Docker, "{path:?}");
        let unpacking = Unpacking {
            limits: &image_layer::Limits::default(),
            stage: &|| store.stage(),
        };
        let mut origin = ArchiveOrigin::open_docker(&path, None, &unpacking).unwrap();
        assert_eq!(origin.top().unwrap().digest, top, "{path:?}");
        let mut layer = Vec::new();
        let mut blob = origin.blob(&sha256(b"plain"), 5).unwrap();
        blob.read_to_end(&mut layer).unwrap();
        assert_eq!(layer, b"plain");
        // It needs no place of its own by name.
        let tmp = std::fs::read_dir(place.path().join("tmp")).unwrap();
        assert_eq!(tmp.count(), 0);
    }
}

#[test]
fn a_compressed_archive_is_bounded_and_a_damaged_one_is_refused() {
    let archive = Archive::new(&[("manifest.json", &vec![b' '; 1 << 20])]);
    let place = tempfile::tempdir().unwrap();
    let store = crate::Store::open(place.path());
    let limits = image_layer::Limits {
        expanded: 1 << 20,
        ..Default::default()
    };
    let unpacking = Unpacking {
        limits: &limits,
        stage: &|| store.stage(),
    };
    for path in packed(&archive.path()) {
        let error = ArchiveOrigin::open_docker(&path, None, &unpacking).err();
        let StoreError::Content(image_layer::ContentError::LayerLimit { .. }) = error.unwrap()
        else {
            panic!("{path:?} has no bound");
        };
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 30]).unwrap();
        let wide = Unpacking {
            limits: &image_layer::Limits::default(),
            ..unpacking
        };
        let error = ArchiveOrigin::open_docker(&path, None, &wide).err();
        let message = error.unwrap().to_string();
        assert!(message.contains("corrupt compressed data"), "{message}");
    }
    let tmp = std::fs::read_dir(place.path().join("tmp")).unwrap();
    assert_eq!(tmp.count(), 0);
}

#[test]
fn a_truncated_archive_is_told_to_be_one() {
    let archive = Archive::new(&[("etc/passwd", &[b'x'; 4096]), ("manifest.json", b"[]")]);
    let file = std::fs::File::options()
        .write(true)
        .open(archive.path())
        .unwrap();
    for length in [2000, 700] {
        file.set_len(length).unwrap();
        let error = detect(&archive.path()).unwrap_err();
        let said = matches!(
            &error,
            StoreError::Content(image_layer::ContentError::Truncated { .. })
        );
        assert!(said, "{length}: {error}");
    }
}

#[test]
fn an_archive_is_told_by_what_stands_at_its_top() {
    for (names, kind) in [
        (
            &["oci-layout", "index.json", "manifest.json"][..],
            Kind::Oci,
        ),
        (&["manifest.json", "repositories"], Kind::Docker),
        (&["manifest", "rootfs/bin/sh"], Kind::Aci),
        (&["./bin/sh"], Kind::Root),
        (&["nix/store/x"], Kind::Root),
        (&["usr/share/manifest.json"], Kind::Root),
        // Two things at once, and none.
        (&["manifest.json", "etc/passwd"], Kind::Other),
        (&["manifest", "rootfs/x", "manifest.json"], Kind::Other),
        (&["oci-layout"], Kind::Other),
        (&["photos/1.jpg"], Kind::Other),
    ] {
        let files: Vec<(&str, &[u8])> = names.iter().map(|name| (*name, &b"x"[..])).collect();
        let archive = Archive::new(&files);
        for path in packed(&archive.path()).iter().chain([&archive.path()]) {
            assert_eq!(detect(path).unwrap(), kind, "{names:?} in {path:?}");
        }
    }
}
