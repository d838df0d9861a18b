use std::fs;

use image_layer::ContentError;
use serde_json::json;

use super::*;

struct Folder(tempfile::TempDir);

impl Folder {
    /// A layout that holds `documents` under these names, and a blob.
    fn new(documents: &[(&[u8], Option<&str>)]) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        folder.write("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#);
        let manifests: Vec<_> = documents
            .iter()
            .map(|(bytes, name)| {
                folder.blob(bytes);
                let annotations = name.map(|name| json!({ REF_NAME: name }));
                json!({
                    "mediaType": media_type::OCI_MANIFEST,
                    "digest": sha256(bytes),
                    "size": bytes.len(),
                    "annotations": annotations,
                })
            })
            .collect();
        let index = json!({ "schemaVersion": 2, "manifests": manifests });
        folder.write("index.json", index.to_string().as_bytes());
        folder
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn blob(&self, bytes: &[u8]) {
        self.write(&format!("blobs/sha256/{}", sha256(bytes).hex()), bytes);
    }

    fn open(&self, tag: Option<&str>) -> Result<LayoutOrigin, StoreError> {
        LayoutOrigin::open(self.0.path(), tag)
    }

    fn top(&self, tag: Option<&str>) -> Result<Vec<u8>, StoreError> {
        Ok(self.open(tag)?.top()?.bytes)
    }
}

#[test]
fn images_are_chosen_by_name() {
    let folder = Folder::new(&[(b"one", Some("v1")), (b"two", Some("q.io/team/two:v2"))]);
    assert_eq!(folder.top(Some("v1")).unwrap(), b"one");
    assert_eq!(folder.top(Some("q.io/team/two:v2")).unwrap(), b"two");
    let error = folder.top(Some("v3")).unwrap_err();
    assert!(matches!(error, StoreError::UnknownImage { .. }), "{error}");
    let error = folder.top(None).unwrap_err();
    assert!(matches!(&error, StoreError::SeveralImages { names, .. } if names.len() == 2));
    let name = folder
        .open(Some("q.io/team/two:v2"))
        .unwrap()
        .name()
        .unwrap();
    assert_eq!(name.to_string(), "q.io/team/two:v2");
    assert_eq!(folder.open(Some("v1")).unwrap().name(), None);
}

#[test]
fn signatures_are_found_and_are_no_images() {
    let tag = format!("sha256-{}.sig", sha256(b"image").hex());
    let folder = Folder::new(&[(b"image", None), (b"signatures", Some(&tag))]);
    let mut origin = folder.open(None).unwrap();
    assert_eq!(origin.top().unwrap().bytes, b"image");
    let found = origin
        .signature_manifest(&sha256(b"image"))
        .unwrap()
        .unwrap();
    assert_eq!(found.bytes, b"signatures");
    assert!(
        origin
            .signature_manifest(&sha256(b"other"))
            .unwrap()
            .is_none()
    );
}

#[test]
fn what_cosign_saves_is_one_image_with_its_signatures() {
    for kind in ["image", "imageIndex"] {
        let folder = Folder::new(&[]);
        let documents = [
            (&b"signatures"[..], "sigs"),
            (b"image", kind),
            (b"attestations", "atts"),
        ];
        let manifests: Vec<_> = documents
            .iter()
            .map(|(bytes, kind)| {
                folder.blob(bytes);
                let kind = format!("dev.cosignproject.cosign/{kind}");
                json!({
                    "mediaType": media_type::OCI_MANIFEST,
                    "digest": sha256(bytes),
                    "size": bytes.len(),
                    "annotations": { "kind": kind, REF_NAME: "q.io/team/app:1" },
                })
            })
            .collect();
        let index = json!({ "schemaVersion": 2, "manifests": manifests });
        folder.write("index.json", index.to_string().as_bytes());
        for tag in [None, Some("q.io/team/app:1")] {
            let mut origin = folder.open(tag).unwrap();
            let top = origin.top().unwrap();
            assert_eq!(top.bytes, b"image", "{kind} {tag:?}");
            let found = origin.signature_manifest(&top.digest).unwrap().unwrap();
            assert_eq!(found.bytes, b"signatures");
            let attestations = cosign::tag(&top.digest, "att");
            let found = origin.tagged(&attestations).unwrap().unwrap();
            assert_eq!(found.bytes, b"attestations");
            let other = cosign::tag(&sha256(b"other"), "sig");
            assert!(origin.tagged(&other).unwrap().is_none());
        }
    }
}

#[test]
fn blobs_are_streams_of_the_announced_size() {
    let folder = Folder::new(&[(b"image", None)]);
    folder.blob(b"layer");
    let mut origin = folder.open(None).unwrap();
    let mut bytes = Vec::new();
    origin
        .blob(&sha256(b"layer"), 5)
        .unwrap()
        .read_to_end(&mut bytes)
        .unwrap();
    assert_eq!(bytes, b"layer");
    assert!(matches!(
        origin.blob(&sha256(b"layer"), 6),
        Err(StoreError::Content(ContentError::SizeMismatch { .. }))
    ));
    let Err(error) = origin.blob(&sha256(b"gone"), 4) else {
        panic!("found")
    };
    assert!(error.to_string().contains("is missing"), "{error}");
}

#[test]
fn damaged_layouts_are_refused() {
    let folder = Folder::new(&[(b"image", None)]);
    let good = fs::read(folder.0.path().join("index.json")).unwrap();
    for bad in [
        &b""[..],
        b"{",
        b"[]",
        br#"{"schemaVersion":1,"manifests":[]}"#,
        b"\xff",
    ] {
        folder.write("index.json", bad);
        let error = folder.open(None).err().unwrap();
        let is_told = matches!(
            error,
            StoreError::Document(DocumentError::NotJson { .. } | DocumentError::BadManifest { .. })
        );
        assert!(is_told, "{error}");
    }
    folder.write("index.json", br#"{"schemaVersion":2,"manifests":[]}"#);
    assert!(
        folder
            .open(None)
            .err()
            .unwrap()
            .to_string()
            .contains("no image")
    );
    folder.write(
        "index.json",
        br#"{"schemaVersion":2,"manifests":[{"digest":"sha256:../../../../etc/passwd"}]}"#,
    );
    let error = folder.open(None).err().unwrap();
    let is_told = matches!(
        error,
        StoreError::Document(DocumentError::BadManifest { .. })
    );
    assert!(is_told, "{error}");
    assert!(error.to_string().contains("etc/passwd"), "{error}");
    folder.write("index.json", &good);
    folder.write(
        &format!("blobs/sha256/{}", sha256(b"image").hex()),
        b"other",
    );
    assert!(matches!(
        folder.top(None),
        Err(StoreError::Content(ContentError::DigestMismatch { .. }))
    ));
    folder.write("oci-layout", br#"{"imageLayoutVersion":"2.0.0"}"#);
    let error = folder.open(None).err().unwrap().to_string();
    assert!(
        error.contains("the version of the layout is not 1"),
        "{error}"
    );
    fs::remove_file(folder.0.path().join("oci-layout")).unwrap();
    assert!(
        folder
            .open(None)
            .err()
            .unwrap()
            .to_string()
            .contains("not an OCI image layout")
    );
}

#[test]
fn a_fifo_in_place_of_a_file_does_not_block() {
    let folder = Folder::new(&[(b"image", None)]);
    let path = folder.0.path().join("index.json");
    fs::remove_file(&path).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &path,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    assert!(
        folder
            .open(None)
            .err()
            .unwrap()
            .to_string()
            .contains("not a regular file")
    );
}
