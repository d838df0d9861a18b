//! Archives and layouts that are broken in one way or another: one exit code for each kind of fault.

use std::fs;
use std::path::Path;

use harness::{Compression, Host, ImageBuilder, Layer, digest_of};
use serde_json::{Value, json};

use crate::bad_input::refused;

const INDEX: &str = "index.json";
const MARKER: &str = "oci-layout";

/// A tar of these files.
fn tar(files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len().try_into().unwrap());
        header.set_mode(0o644);
        builder
            .append_data(&mut header, name, content.as_slice())
            .unwrap();
    }
    builder.into_inner().unwrap()
}

/// A layout of an image, which is then changed.
fn layout(host: &Host, name: &str, change: impl FnOnce(&Path)) {
    let folder = host.base().join(name);
    image().build().write_layout(&folder, "1");
    change(&folder);
}

fn image() -> ImageBuilder {
    let layer = Layer::new().file("file", vec![7; 100_000], 0o644);
    ImageBuilder::new()
        .layer(layer)
        .compression(Compression::None)
        .cmd(["/file"])
}

/// Changes a document of a layout.
fn edit(folder: &Path, name: &str, change: impl FnOnce(&mut Value)) {
    let path = folder.join(name);
    let mut document = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    change(&mut document);
    fs::write(path, document.to_string()).unwrap();
}

fn manifest_json(layer: &str) -> Vec<u8> {
    json!([{ "Config": "config.json", "RepoTags": ["a.example/b:1"], "Layers": [layer] }])
        .to_string()
        .into_bytes()
}

/// `image import` refuses a source, and leaves nothing.
#[track_caller]
fn import(host: &Host, source: &str, code: i32, parts: &[&str]) {
    refused(host.fairing(["image", "import", source]).run(), code, parts);
    let store = harness::store_contents::store_files(host);
    assert!(store.is_empty(), "{source}: left in the store: {store:#?}");
}

#[test]
fn an_archive_that_cannot_be_read_or_lacks_a_part_is_112_however_it_is_packed() {
    let host = Host::new();
    host.accept_unsigned();
    let config = image().build().blobs;
    let config = config.values().find(|blob| blob.starts_with(b"{")).unwrap();
    let whole = image().build();
    let saved = host.base().join("saved.tar");
    whole.write_docker_archive(&saved, "a.example/b:1");
    let saved = fs::read(saved).unwrap();
    let oci = host.base().join("oci.tar");
    whole.write_oci_archive(&oci, "1");
    let oci = fs::read(oci).unwrap();
    let gzip = |bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut encoder, bytes).unwrap();
        encoder.finish().unwrap()
    };
    let mut wrong_sum = saved.clone();
    wrong_sum[148] ^= 1;
    let twice = ("manifest.json", manifest_json("a"));
    for (name, bytes) in [
        ("cut.tar", saved[..saved.len() - 60_000].to_vec()),
        ("cut-oci.tar", oci[..oci.len() - 60_000].to_vec()),
        ("cut.tar.gz", gzip(&saved)[..200].to_vec()),
        ("cut-within.tar.gz", gzip(&saved[..saved.len() - 60_000])),
        ("sum.tar", wrong_sum),
        ("none.tar", b"no archive at all, however long".repeat(100)),
        ("twice.tar", tar(&[twice.clone(), twice])),
        (
            "without-layer.tar",
            tar(&[
                ("manifest.json", manifest_json("layer.tar")),
                ("config.json", config.clone()),
            ]),
        ),
        (
            "without-config.tar",
            tar(&[("manifest.json", manifest_json("layer.tar"))]),
        ),
        ("large.tar", tar(&[("manifest.json", vec![b' '; 20 << 20])])),
    ] {
        host.write(name, bytes);
        let kind = if name.contains("oci") {
            "oci"
        } else {
            "docker"
        };
        import(&host, &format!("{kind}-archive:{name}"), 112, &[name]);
    }
    layout(&host, "without-blob", |folder| {
        let layer = &whole.layer_digests()[0][7..];
        fs::remove_file(folder.join("blobs/sha256").join(layer)).unwrap();
    });
    layout(&host, "without-manifest", |folder| {
        let manifest = &whole.digest()[7..];
        fs::remove_file(folder.join("blobs/sha256").join(manifest)).unwrap();
    });
    for name in ["without-blob", "without-manifest"] {
        import(&host, &format!("oci:{name}"), 112, &[name, "is missing"]);
    }
}

#[test]
fn a_document_of_an_archive_or_layout_that_makes_no_sense_is_113() {
    let host = Host::new();
    for (name, document) in [
        ("text.tar", "no JSON"),
        ("object.tar", "{}"),
        ("numbers.tar", "[1]"),
    ] {
        host.write(name, tar(&[("manifest.json", document.into())]));
        import(&host, &format!("docker-archive:{name}"), 113, &[name]);
    }
    layout(&host, "marker", |folder| {
        edit(folder, MARKER, |marker| {
            marker["imageLayoutVersion"] = json!("2.0.0")
        });
    });
    layout(&host, "version", |folder| {
        edit(folder, INDEX, |index| index["schemaVersion"] = json!(1));
    });
    layout(&host, "digest", |folder| {
        edit(folder, INDEX, |index| {
            index["manifests"][0]["digest"] = json!("sha256:1")
        });
    });
    layout(&host, "text", |folder| {
        fs::write(folder.join(INDEX), "[").unwrap()
    });
    layout(&host, "image", |folder| {
        let bad = br#"{"schemaVersion":2,"config":{},"layers":[]}"#;
        let digest = digest_of(bad);
        fs::write(folder.join("blobs/sha256").join(&digest[7..]), bad).unwrap();
        edit(folder, INDEX, |index| {
            index["manifests"][0]["digest"] = json!(digest)
        });
    });
    for name in ["marker", "version", "digest", "text", "image"] {
        import(&host, &format!("oci:{name}"), 113, &[]);
    }
}

#[test]
fn an_archive_of_something_else_is_113_and_no_broken_one() {
    let host = Host::new();
    host.write("photos.tar", tar(&[("photo", vec![1, 2, 3])]));
    import(
        &host,
        "docker-archive:photos.tar",
        113,
        &["photos.tar", "manifest.json"],
    );
    import(
        &host,
        "oci-archive:photos.tar",
        113,
        &["photos.tar", MARKER],
    );
    import(&host, "photos.tar", 113, &["photos.tar", "not an image"]);
}
