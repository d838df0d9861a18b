use std::fs;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::Command;

use image_document::{cosign, media_type};
use image_layer::{ContentError, sha256};
use image_name::{Digest, Reference};
use serde_json::{Value, json};

use super::*;
use crate::archive::{self, ArchiveOrigin, Unpacking};
use crate::error::StoreError;
use crate::layout::LayoutOrigin;
use crate::origin::Origin;
use crate::store::{RefRecord, Store};
use std::path::Path;

/// The blobs of a store with one signed image of two layers, one of them compressed.
struct Blobs {
    _dir: tempfile::TempDir,
    store: Store,
    manifest: Digest,
    top: Digest,
    layers: Vec<Vec<u8>>,
    signatures: Digest,
}

fn layer(name: &str, content: &[u8]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    builder.append_data(&mut header, name, content).unwrap();
    builder.into_inner().unwrap()
}

impl Blobs {
    fn new() -> Self {
        let plain = vec![layer("one", b"first"), layer("two", &[7; 100_000])];
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&plain[1]).unwrap();
        let gzip = gzip.finish().unwrap();
        let config = json!({
            "architecture": "amd64", "os": "linux", "config": {},
            "rootfs": { "type": "layers", "diff_ids": [sha256(&plain[0]), sha256(&plain[1])] },
        });
        let config = config.to_string().into_bytes();
        let descriptor = |media_type: &str, bytes: &[u8]| json!({ "mediaType": media_type, "digest": sha256(bytes), "size": bytes.len() });
        let manifest = json!({
            "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST,
            "config": descriptor(media_type::OCI_CONFIG, &config),
            "layers": [
                descriptor(media_type::OCI_LAYER, &plain[0]),
                descriptor(&format!("{}+gzip", media_type::OCI_LAYER), &gzip),
            ],
        });
        let manifest = manifest.to_string().into_bytes();
        let mut member = descriptor(media_type::OCI_MANIFEST, &manifest);
        member["platform"] = json!({ "architecture": "amd64", "os": "linux" });
        let mut absent = descriptor(media_type::OCI_MANIFEST, b"not in the store");
        absent["platform"] = json!({ "architecture": "s390x", "os": "linux" });
        let index = json!({
            "schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": [member, absent],
        });
        let index = index.to_string().into_bytes();
        let signed = cosign::append(None, b"payload", "c2ln").unwrap().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("images"));
        fs::create_dir_all(store.blobs_folder()).unwrap();
        let blobs = Self {
            _dir: dir,
            store,
            manifest: sha256(&manifest),
            top: sha256(&index),
            layers: plain.clone(),
            signatures: sha256(&signed.manifest),
        };
        for blob in [&plain[0], &gzip, &config, &manifest, &index] {
            blobs.add(blob);
        }
        let store = &blobs.store;
        store
            .add_signature(&blobs.manifest, b"payload", "c2ln")
            .unwrap();
        store.add_bundle(&blobs.manifest, BUNDLE).unwrap();
        blobs
    }

    fn add(&self, bytes: &[u8]) {
        fs::write(self.path(&sha256(bytes)), bytes).unwrap();
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        self.store.blob_path(digest)
    }

    fn export(&self, top: &Digest, format: ExportFormat, dest: &Path) -> Result<(), StoreError> {
        let name = Reference::parse("q.io/team/app:v1").unwrap();
        let record = RefRecord::new(name, top.clone(), self.manifest.clone(), "x".into());
        let outgoing = self.store.outgoing(&record)?;
        outgoing
            .export(format, dest, true, &mut |_| {})
            .map(|copied| assert_eq!(copied.notes, [""; 0]))
    }
}

const BUNDLE: &[u8] = br#"{"dsseEnvelope":{}}"#;

fn blob(origin: &mut dyn Origin, digest: &Digest, size: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    origin
        .blob(digest, size as u64)
        .unwrap()
        .read_to_end(&mut bytes)
        .unwrap();
    bytes
}

fn check_oci(blobs: &Blobs, origin: &mut dyn Origin) {
    assert_eq!(origin.top().unwrap().digest, blobs.top);
    assert_eq!(
        origin.manifest(&blobs.manifest).unwrap().digest,
        blobs.manifest
    );
    assert_eq!(origin.name().unwrap().to_string(), "q.io/team/app:v1");
    let first = &blobs.layers[0];
    assert_eq!(&blob(origin, &sha256(first), first.len()), first);
    let signatures = origin.signature_manifest(&blobs.manifest).unwrap().unwrap();
    assert_eq!(signatures.digest, blobs.signatures);
    assert_eq!(blob(origin, &sha256(b"payload"), 7), b"payload");
    let referring = crate::referring::referring(
        origin,
        &blobs.manifest,
        &crate::options::WantedBundles::default(),
    )
    .unwrap();
    assert_eq!(referring.bundles[0].bundle, BUNDLE);
}

#[test]
fn layouts_and_archives_come_back_equal() {
    let blobs = Blobs::new();
    let out = tempfile::tempdir().unwrap();
    let folder = out.path().join("layout");
    blobs
        .export(&blobs.top, ExportFormat::OciLayout, &folder)
        .unwrap();
    check_oci(&blobs, &mut LayoutOrigin::open(&folder, None).unwrap());
    let file = out.path().join("oci.tar");
    blobs
        .export(&blobs.top, ExportFormat::OciArchive, &file)
        .unwrap();
    assert_eq!(archive::detect(&file).unwrap(), archive::Kind::Oci);
    check_oci(
        &blobs,
        &mut ArchiveOrigin::open_oci(&file, Some("q.io/team/app:v1"), &Unpacking::none()).unwrap(),
    );
    // Others take it for one image: it has one entry, with a name.
    let listed = Command::new("tar")
        .args(["-xOf", file.to_str().unwrap(), "index.json"])
        .output()
        .unwrap();
    let index: Value = serde_json::from_slice(&listed.stdout).unwrap();
    let entries = index["manifests"].as_array().unwrap();
    assert_eq!(entries.len(), 1);
    let name = &entries[0]["annotations"]["org.opencontainers.image.ref.name"];
    assert_eq!(name, "q.io/team/app:v1");
    let again = out.path().join("again.tar");
    blobs
        .export(&blobs.top, ExportFormat::OciArchive, &again)
        .unwrap();
    assert_eq!(fs::read(&file).unwrap(), fs::read(&again).unwrap());
}

#[test]
fn docker_archives_hold_plain_layers() {
    let blobs = Blobs::new();
    let out = tempfile::tempdir().unwrap();
    let file = out.path().join("docker.tar");
    blobs
        .export(&blobs.top, ExportFormat::DockerArchive, &file)
        .unwrap();
    assert_eq!(archive::detect(&file).unwrap(), archive::Kind::Docker);
    let mut origin =
        ArchiveOrigin::open_docker(&file, Some("q.io/team/app:v1"), &Unpacking::none()).unwrap();
    let top: Value = serde_json::from_slice(&origin.top().unwrap().bytes).unwrap();
    for (descriptor, layer) in top["layers"].as_array().unwrap().iter().zip(&blobs.layers) {
        assert_eq!(descriptor["digest"], sha256(layer).to_string());
        assert_eq!(&blob(&mut origin, &sha256(layer), layer.len()), layer);
    }
    assert_eq!(top["layers"].as_array().unwrap().len(), 2);
}

#[test]
fn a_damaged_store_exports_nothing() {
    for format in [
        ExportFormat::OciLayout,
        ExportFormat::OciArchive,
        ExportFormat::DockerArchive,
    ] {
        let blobs = Blobs::new();
        let out = tempfile::tempdir().unwrap();
        let dest = out.path().join("x");
        let path = blobs.path(&sha256(&blobs.layers[0]));
        let mut bytes = fs::read(&path).unwrap();
        bytes[3] ^= 1;
        fs::write(&path, &bytes).unwrap();
        let error = blobs.export(&blobs.top, format, &dest).unwrap_err();
        assert!(
            matches!(
                error,
                StoreError::Content(ContentError::DigestMismatch { .. })
            ),
            "{error}"
        );
        fs::remove_file(&path).unwrap();
        let error = blobs.export(&blobs.top, format, &dest).unwrap_err();
        assert!(matches!(error, StoreError::Missing { .. }), "{error}");
        let gone = sha256(b"gone");
        assert!(matches!(
            blobs.export(&gone, format, &dest),
            Err(StoreError::Missing { .. })
        ));
        assert_eq!(
            fs::read_dir(out.path()).unwrap().count(),
            0,
            "something is left"
        );
    }
}

#[test]
fn nothing_is_overwritten() {
    let blobs = Blobs::new();
    let out = tempfile::tempdir().unwrap();
    let dest = out.path().join("x");
    fs::write(&dest, "mine").unwrap();
    for taken in [dest.as_path(), Path::new("/")] {
        let refused = blobs.export(&blobs.top, ExportFormat::OciArchive, taken);
        let error = refused.unwrap_err();
        let is_told = matches!(&error, StoreError::Destination { path, .. } if path == taken);
        assert!(is_told, "{error}");
    }
    assert_eq!(fs::read(&dest).unwrap(), b"mine");
}

const SKOPEO: &str = "skopeo is not installed: run tests/prepare-machine";

/// Reads the exports back with skopeo.
#[test]
fn skopeo_reads_equal_digests() {
    let blobs = Blobs::new();
    let out = tempfile::tempdir().unwrap();
    let inspect = |what: &[&str]| -> Vec<u8> {
        let output = Command::new("skopeo")
            .args([
                "--override-os=linux",
                "--override-arch=amd64",
                "inspect",
                "--raw",
            ])
            .args(what)
            .output()
            .expect(SKOPEO);
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{what:?}: {message}");
        output.stdout
    };
    for (format, name, scheme) in [
        (ExportFormat::OciLayout, "layout", "oci"),
        (ExportFormat::OciArchive, "oci.tar", "oci-archive"),
    ] {
        let dest = out.path().join(name);
        blobs.export(&blobs.top, format, &dest).unwrap();
        let source = format!("{scheme}:{}:q.io/team/app:v1", dest.display());
        assert_eq!(sha256(&inspect(&[&source])), blobs.top, "{scheme}");
    }
    let dest = out.path().join("docker.tar");
    blobs
        .export(&blobs.manifest, ExportFormat::DockerArchive, &dest)
        .unwrap();
    let source = format!("docker-archive:{}:q.io/team/app:v1", dest.display());
    let raw: Value = serde_json::from_slice(&inspect(&[&source])).unwrap();
    let found: Vec<_> = raw["layers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|layer| layer["digest"].clone())
        .collect();
    let wanted: Vec<_> = blobs
        .layers
        .iter()
        .map(|layer| json!(sha256(layer)))
        .collect();
    assert_eq!(found, wanted);
}

/// Reads what skopeo makes of an export.
#[test]
fn archives_of_skopeo_are_read() {
    let blobs = Blobs::new();
    let out = tempfile::tempdir().unwrap();
    let layout = out.path().join("layout");
    blobs
        .export(&blobs.manifest, ExportFormat::OciLayout, &layout)
        .unwrap();
    let source = format!("oci:{}:q.io/team/app:v1", layout.display());
    let copy = |scheme: &str, name: &str, flags: &[&str]| {
        let file = out.path().join(name);
        let dest = format!("{scheme}:{}:q.io/team/app:v1", file.display());
        let output = Command::new("skopeo")
            .args([
                "--override-os=linux",
                "--override-arch=amd64",
                "--insecure-policy",
                "copy",
            ])
            .args(flags)
            .args([&source, &dest])
            .output()
            .expect(SKOPEO);
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{dest}: {message}");
        file
    };
    let file = copy("oci-archive", "oci.tar", &["--preserve-digests"]);
    assert_eq!(archive::detect(&file).unwrap(), archive::Kind::Oci);
    let mut origin =
        ArchiveOrigin::open_oci(&file, Some("q.io/team/app:v1"), &Unpacking::none()).unwrap();
    assert_eq!(origin.top().unwrap().digest, blobs.manifest);
    let file = copy("docker-archive", "docker.tar", &[]);
    assert_eq!(archive::detect(&file).unwrap(), archive::Kind::Docker);
    let mut origin = ArchiveOrigin::open_docker(&file, None, &Unpacking::none()).unwrap();
    for layer in &blobs.layers {
        assert_eq!(&blob(&mut origin, &sha256(layer), layer.len()), layer);
    }
}
