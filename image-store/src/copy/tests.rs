use std::fs;

use image_document::media_type::{OCI_EMPTY, OCI_INDEX, OCI_MANIFEST};
use image_document::{RawManifest, cosign, referrer};
use image_layer::{ContentError, sha256};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::error::StoreError;
use crate::fixture::{Tar, TestLayer, TestLayout};
use crate::open::open;
use crate::options::FetchOptions;
use crate::source::ImageSource;
use crate::store::Store;
use image_name::Digest;

/// A layout with an image that has a signature of cosign's, a bundle, and something that refers to
/// the bundle.
struct Ground {
    folder: TempDir,
    layout: TestLayout,
    store: Store,
    image: Digest,
    /// What refers to the bundle.
    last: RawManifest,
}

fn raw(layout: &TestLayout, digest: &Digest) -> RawManifest {
    let bytes = fs::read(layout.blob_path(digest)).unwrap();
    RawManifest {
        media_type: image_document::media_type::of_manifest(&bytes, ""),
        digest: digest.clone(),
        bytes,
    }
}

/// A document of no layers about `subject`.
fn artifact(subject: &RawManifest, kind: &str) -> Vec<u8> {
    let described = |bytes: &RawManifest| json!({"mediaType": bytes.media_type, "digest": bytes.digest, "size": bytes.bytes.len()});
    json!({
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": kind,
        "config": { "mediaType": OCI_EMPTY, "digest": sha256(b"{}"), "size": 2 },
        "layers": [],
        "subject": described(subject),
    })
    .to_string()
    .into_bytes()
}

impl Ground {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut layout = TestLayout::new(&folder.path().join("layout"));
        let tar = Tar::default().file("a", b"content").end();
        let image = layout.image("one", &[TestLayer::gzip(&tar)]);
        let signed = cosign::append(None, b"payload", "c2ln").unwrap().unwrap();
        layout.blob(b"payload");
        layout.blob(&signed.config);
        let tag = cosign::tag(&image, "sig");
        layout.document(&tag, OCI_MANIFEST, &signed.manifest);
        let store = Store::open(&folder.path().join("images"));
        let last = raw(&layout, &image);
        let mut ground = Self {
            folder,
            layout,
            store,
            image,
            last,
        };
        let image = raw(&ground.layout, &ground.image);
        let made = referrer::of_bundle(&image, b"bundle").unwrap();
        ground.layout.blob(b"{}");
        ground.layout.blob(b"bundle");
        let bundle = ground.refer(&image, &made.manifest);
        ground.last = ground.refer(&bundle, &artifact(&bundle, "application/x-about-a-bundle"));
        ground
    }

    /// Lists a document as a referrer of `subject`.
    fn refer(&mut self, subject: &RawManifest, document: &[u8]) -> RawManifest {
        let digest = self.layout.blob(document);
        let document = raw(&self.layout, &digest);
        let list = referrer::add_to_list(None, &document).unwrap().unwrap();
        let tag = referrer::tag(&subject.digest);
        self.layout.document(&tag, OCI_INDEX, &list);
        document
    }

    fn copy(&self, to: &str) -> Result<Copied, StoreError> {
        self.copy_from(&self.layout.source("one"), to)
    }

    fn copy_from(&self, from: &ImageSource, to: &str) -> Result<Copied, StoreError> {
        let to = self.place(to);
        copy(&self.store, from, &to, &CopyOptions::default(), &mut |_| {})
    }

    fn place(&self, name: &str) -> ImageSource {
        let (scheme, name) = name.split_once(':').unwrap();
        let at = self.folder.path().display();
        ImageSource::parse_destination(&format!("{scheme}:{at}/{name}")).unwrap()
    }

    fn index(&self, layout: &str) -> Value {
        let path = self.folder.path().join(layout).join("index.json");
        serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
    }

    fn blobs(&self, layout: &str) -> Vec<String> {
        let folder = self.folder.path().join(layout).join("blobs/sha256");
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

#[test]
fn an_image_and_all_about_it_goes_from_layout_to_archive_and_back() {
    let ground = Ground::new();
    let copied = ground.copy("oci-archive:a.tar:v1").unwrap();
    assert_eq!((&copied.digest, copied.notes.len()), (&ground.image, 0));
    let copied = ground
        .copy_from(&ground.place("oci-archive:a.tar:v1"), "oci:back:v2")
        .unwrap();
    assert_eq!(copied.digest, ground.image);
    // The lists at tags are made anew where they are needed: everything else is equal.
    let lists: Vec<String> = ground.index("layout")["manifests"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|entry| entry["mediaType"] == OCI_INDEX)
        .map(|entry| entry["digest"].as_str().unwrap().replace("sha256:", ""))
        .collect();
    let mut wanted = ground.blobs("layout");
    wanted.retain(|name| !lists.contains(name));
    assert_eq!(ground.blobs("back"), wanted);
    let index = ground.index("back");
    let names: Vec<_> = index["manifests"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["annotations"]["org.opencontainers.image.ref.name"].clone())
        .collect();
    let tag = cosign::tag(&ground.image, "sig");
    assert_eq!(names, [json!("v2"), json!(tag), Value::Null, Value::Null]);
    assert!(!ground.store.path().exists(), "the store is not touched");
}

#[test]
fn a_layout_takes_several_images_and_one_of_a_name() {
    let mut ground = Ground::new();
    let tar = Tar::default().file("b", b"other").end();
    let other = ground.layout.image("two", &[TestLayer::gzip(&tar)]);
    ground.copy("oci:all:a").unwrap();
    let two = ground.layout.source("two");
    ground.copy_from(&two, "oci:all:b").unwrap();
    let digest_of = |ground: &Ground, name: &str| {
        let mut origin =
            open(&ground.place(name), &FetchOptions::default(), &ground.store).unwrap();
        origin.top().unwrap().digest
    };
    assert_eq!(digest_of(&ground, "oci:all:a"), ground.image);
    assert_eq!(digest_of(&ground, "oci:all:b"), other);
    ground.copy_from(&two, "oci:all:a").unwrap();
    assert_eq!(digest_of(&ground, "oci:all:a"), other);
    fs::create_dir(ground.folder.path().join("mine")).unwrap();
    assert!(
        ground.copy("oci:mine").is_err(),
        "a folder that is no layout"
    );
    ground.copy("oci-archive:x.tar").unwrap();
    assert!(
        ground.copy("oci-archive:x.tar").is_err(),
        "a file that is there"
    );
}

#[test]
fn what_only_says_that_it_refers_to_the_image_is_left_out_and_told() {
    let ground = Ground::new();
    let image = raw(&ground.layout, &ground.image);
    // Its subject is something else; and one that lists the image itself in a circle.
    let stranger = RawManifest {
        digest: sha256(b"stranger"),
        ..image.clone()
    };
    let other = artifact(&stranger, "application/x-other");
    ground.layout.blob(&other);
    let listed = [ground.layout.blob(&other), ground.image.clone()]
        .map(|digest| json!({"mediaType": OCI_MANIFEST, "digest": digest, "size": 1}));
    let list = json!({ "schemaVersion": 2, "manifests": listed }).to_string();
    let tag = referrer::tag(&ground.image);
    let mut index = ground.index("layout");
    index["manifests"]
        .as_array_mut()
        .unwrap()
        .retain(|entry| entry["annotations"]["org.opencontainers.image.ref.name"] != tag);
    let digest = ground.layout.blob(list.as_bytes());
    index["manifests"].as_array_mut().unwrap().push(json!({
        "mediaType": OCI_INDEX, "digest": digest, "size": list.len(),
        "annotations": { "org.opencontainers.image.ref.name": tag },
    }));
    let path = ground.folder.path().join("layout/index.json");
    fs::write(path, index.to_string()).unwrap();
    let copied = ground.copy("oci:out").unwrap();
    assert_eq!(copied.notes.len(), 1, "{:?}", copied.notes);
    assert!(
        copied.notes[0].contains("its subject is"),
        "{:?}",
        copied.notes
    );
    let hex = sha256(&other).hex().to_owned();
    assert!(!ground.blobs("out").contains(&hex));
}

#[test]
fn a_chain_of_referrers_without_end_stops() {
    let mut ground = Ground::new();
    let mut last = ground.last.clone();
    for depth in 0..8 {
        let next = artifact(&last, &format!("application/x-{depth}"));
        last = ground.refer(&last, &next);
    }
    let error = ground.copy("oci:out").unwrap_err();
    assert!(
        matches!(
            error,
            StoreError::Content(ContentError::LimitExceeded { .. })
        ),
        "{error}"
    );
    assert!(!ground.folder.path().join("out").exists());
}

#[test]
fn a_blob_that_is_not_what_it_should_be_leaves_nothing() {
    for (to, reason) in [
        ("oci:out", "digest mismatch"),
        ("oci-archive:out", "digest mismatch"),
        ("docker-archive:out", "corrupt deflate stream"),
    ] {
        let ground = Ground::new();
        let manifest: Value =
            serde_json::from_slice(&raw(&ground.layout, &ground.image).bytes).unwrap();
        let layer = manifest["layers"][0]["digest"].as_str().unwrap();
        let path = ground
            .layout
            .blob_path(&image_name::Digest::parse(layer).unwrap());
        let mut bytes = fs::read(&path).unwrap();
        bytes[40] ^= 1;
        fs::write(&path, bytes).unwrap();
        let error = ground.copy(to).unwrap_err();
        assert!(error.to_string().contains(reason), "{to}: {error}");
        let left: Vec<_> = fs::read_dir(ground.folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(left, ["layout"], "{to}");
    }
}
