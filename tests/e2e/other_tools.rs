//! What other tools make of the images that fairing writes, and artifacts that refer to images.

use std::fs;
use std::path::Path;
use std::process::Command;

use harness::{Artifact, Host, digest_of};
use serde_json::{Value, json};

const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// Runs a tool to its end and gives what it writes.
#[track_caller]
fn tool(command: &mut Command) -> Vec<u8> {
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{command:?}: {errors}");
    output.stdout
}

/// The digest of the index or manifest that skopeo sees at a source.
#[track_caller]
pub(crate) fn skopeo_digest(source: &str) -> String {
    let mut command = Command::new("skopeo");
    command.args(["inspect", "--raw"]);
    if source.starts_with("docker://") {
        command.arg("--tls-verify=false");
    }
    digest_of(&tool(command.arg(source)))
}

/// The digest that skopeo gives to what it copies from a source to a directory of its own kind, all
/// blobs read and checked.
#[track_caller]
pub(crate) fn skopeo_copies(host: &Host, source: &str) -> String {
    let folder = host
        .base()
        .join(format!("skopeo-{}", &digest_of(source.as_bytes())[7..19]));
    let dest = format!("dir:{}", folder.display());
    let flags = [
        "--insecure-policy",
        "copy",
        "--quiet",
        "--src-tls-verify=false",
    ];
    tool(Command::new("skopeo").args(flags).args([source, &dest]));
    digest_of(&fs::read(folder.join("manifest.json")).unwrap())
}

/// Digest and image ID that podman has for the image that it takes from a source, in a store of
/// its own.
#[track_caller]
pub(crate) fn podman_pulls(host: &Host, source: &str) -> (String, String) {
    let place = |name: &str| host.base().join(name).display().to_string();
    let podman = || {
        let mut command = Command::new("podman");
        let (root, run) = (place("podman"), place("podman-run"));
        command.args([
            "--root",
            &root,
            "--runroot",
            &run,
            "--storage-driver",
            "vfs",
        ]);
        command.env("TMPDIR", host.base());
        command
    };
    let id = tool(podman().args(["pull", "--quiet", source]));
    let id = String::from_utf8(id).unwrap().trim().to_owned();
    let inspected = tool(podman().args(["image", "inspect", "--format", "{{.Digest}}", &id]));
    let digest = String::from_utf8(inspected).unwrap().trim().to_owned();
    (digest, format!("sha256:{id}"))
}

/// A manifest that refers to an image and holds `bundle`, with its blobs.
pub(crate) fn referrer(subject: &str, bundle: &[u8]) -> (Vec<u8>, [Vec<u8>; 2]) {
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": BUNDLE,
        "config": {
            "mediaType": "application/vnd.oci.empty.v1+json",
            "digest": digest_of(b"{}"), "size": 2,
        },
        "layers": [{ "mediaType": BUNDLE, "digest": digest_of(bundle), "size": bundle.len() }],
        "subject": { "mediaType": MANIFEST, "digest": subject, "size": 1 },
    });
    let blobs = [b"{}".to_vec(), bundle.to_vec()];
    (manifest.to_string().into_bytes(), blobs)
}

/// What a list of referrers says of a manifest.
pub(crate) fn list_entry(manifest: &[u8]) -> Value {
    json!({
        "mediaType": MANIFEST,
        "digest": digest_of(manifest),
        "size": manifest.len(),
        "artifactType": BUNDLE,
    })
}

/// Adds a bundle about an image to the layout in which the image is.
pub(crate) fn add_bundle(layout: &Path, image: &Artifact, bundle: &[u8]) {
    let (manifest, blobs) = referrer(&image.digest(), bundle);
    for blob in blobs.iter().chain([&manifest]) {
        let digest = digest_of(blob);
        fs::write(layout.join("blobs/sha256").join(&digest[7..]), blob).unwrap();
    }
    let path = layout.join("index.json");
    let mut index: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let entries = index["manifests"].as_array_mut().unwrap();
    entries.push(list_entry(&manifest));
    fs::write(path, index.to_string()).unwrap();
}

/// The bundles that a host's store has for an image.
#[track_caller]
pub(crate) fn bundles(host: &Host, image: &str) -> Vec<Value> {
    let inspected = host.fairing(["image", "inspect", image]).run().ok().json();
    let bundles = inspected["bundles"].as_array().unwrap();
    bundles.iter().map(|one| one["bundle"].clone()).collect()
}
