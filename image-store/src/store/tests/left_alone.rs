//! What a collection doesn't know it leaves alone, and what it can't read it tells of.

use image_layer::sha256;

use super::*;

fn try_to_collect(ground: &Ground) -> Result<GcReport, StoreError> {
    let alone = ground.store.exclusive().unwrap();
    let survey = ground.store.survey();
    ground.store.gc(survey, &HashSet::new(), None, alone)
}

#[test]
fn what_is_no_part_of_a_store_stays_and_is_told() {
    let ground = Ground::new();
    let one = ground.fetch("one").unwrap();
    ground
        .store
        .add_signature(one.manifest_digest(), b"p", "cA==")
        .unwrap();
    let hex = sha256(b"x").hex().to_owned();
    let strange = [
        ground.store.signatures_folder().join("notes"),
        ground.store.signatures_folder().join(&hex),
        ground.store.blobs_folder().join("notes"),
        ground.store.blobs_folder().join(hex.to_uppercase()),
        ground.store.layers_folder().join("notes"),
        ground.store.layers_folder().join("removed-notes"),
    ];
    for path in &strange {
        fs::write(path, "x").unwrap();
    }
    let report = ground.collect();
    let mut told = report.strange;
    told.sort();
    let mut expected = strange.to_vec();
    expected.sort();
    assert_eq!(told, expected);
    assert!(strange.iter().all(|path| path.exists()));
    assert_eq!((report.blobs, report.layers, report.signatures), (0, 0, 0));
}

#[test]
fn half_done_things_that_are_no_directories_go_and_nothing_waits_for_them() {
    let ground = Ground::new();
    let outside = ground.folder.path().join("outside");
    fs::write(&outside, "x").unwrap();
    let tmp = ground.store.tmp_folder();
    super::super::make_folder(&tmp).unwrap();
    std::os::unix::fs::symlink(&outside, tmp.join("link")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(tmp.join("socket")).unwrap();
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    let kind = rustix::fs::FileType::Fifo;
    rustix::fs::mknodat(rustix::fs::CWD, tmp.join("pipe"), kind, mode, 0).unwrap();
    let report = ground.collect();
    assert_eq!((report.leftovers, report.freed), (3, 0));
    assert!(tree(&tmp).is_empty() && outside.exists());
}

#[test]
fn a_damaged_document_keeps_everything() {
    let ground = Ground::new();
    let one = ground.fetch("one").unwrap();
    ground.fetch("two").unwrap();
    let garbage = ground.store.blobs_folder().join(sha256(b"garbage").hex());
    fs::write(&garbage, "garbage").unwrap();
    fs::create_dir_all(ground.store.tmp_folder().join("half-done")).unwrap();
    let manifest = ground.store.blob_path(one.manifest_digest());
    let good = fs::read(&manifest).unwrap();
    fs::write(&manifest, "{").unwrap();
    let report = ground.collect();
    assert_eq!(report.damaged.len(), 1, "{report:?}");
    assert!(
        report.damaged[0].starts_with("a.io/one:latest: "),
        "{report:?}"
    );
    assert_eq!((report.blobs, report.layers, report.freed), (0, 0, 0));
    assert_eq!(report.leftovers, 1, "what is half done is nobody's");
    assert!(garbage.exists());

    // So does a torn name, and a document that is needed by a pod alone.
    fs::write(&manifest, &good).unwrap();
    let torn = ground.store.refs_folder().join("torn");
    fs::write(&torn, "{").unwrap();
    let report = ground.collect();
    assert!(report.damaged[0].contains("refs/torn"), "{report:?}");
    assert!(garbage.exists());
    fs::remove_file(&torn).unwrap();
    ground.store.remove(&ground.reference("one")).unwrap();
    fs::write(&manifest, "{").unwrap();
    let alone = ground.store.exclusive().unwrap();
    let by_pod = HashSet::from([one.manifest_digest().clone()]);
    let report = ground.store.gc(ground.store.survey(), &by_pod, None, alone);
    let report = report.unwrap();
    assert!(
        report.damaged[0].contains(one.manifest_digest().hex()),
        "{report:?}"
    );
    assert!(garbage.exists());

    fs::write(&manifest, &good).unwrap();
    let report = ground.collect();
    assert!(report.damaged.is_empty() && !garbage.exists(), "{report:?}");
    assert_eq!((report.blobs, report.layers), (4, 1));
}

#[test]
fn what_can_not_be_read_ends_a_collection() {
    let ground = Ground::new();
    let one = ground.fetch("one").unwrap();
    ground
        .store
        .add_signature(one.manifest_digest(), b"p", "cA==")
        .unwrap();
    let garbage = ground.store.blobs_folder().join(sha256(b"garbage").hex());
    fs::write(&garbage, "garbage").unwrap();
    // A link to itself can't be opened, whoever asks.
    let spoil = |path: &Path| {
        let kept = path.with_extension("kept");
        fs::rename(path, &kept).unwrap();
        std::os::unix::fs::symlink(path, path).unwrap();
        kept
    };
    let record = ground.store.signature_record_path(one.manifest_digest());
    let manifest = ground.store.blob_path(one.manifest_digest());
    for path in [manifest, record] {
        let kept = spoil(&path);
        let error = try_to_collect(&ground).unwrap_err().to_string();
        assert!(error.contains(&*path.to_string_lossy()), "{error}");
        assert!(garbage.exists());
        fs::rename(kept, &path).unwrap();
    }
    try_to_collect(&ground).unwrap();
    assert!(!garbage.exists());
}

#[test]
fn a_name_that_a_pod_needs_does_not_expire_by_either_digest() {
    let mut ground = Ground::new();
    let one = ground.fetch("one").unwrap();
    let member = one.manifest_digest().clone();
    let size = fs::metadata(ground.store.blob_path(&member)).unwrap().len();
    let index = serde_json::json!({
        "schemaVersion": 2,
        "manifests": [{
            "mediaType": image_document::media_type::OCI_MANIFEST,
            "digest": member,
            "size": size,
            "platform": { "os": "linux", "architecture": "amd64" },
        }],
    });
    let kind = image_document::media_type::OCI_INDEX;
    ground
        .layout
        .document("both", kind, index.to_string().as_bytes());
    ground.store.remove(&ground.reference("one")).unwrap();
    let both = ground.fetch("both").unwrap();
    let record = ground
        .store
        .resolve(&ground.reference("both"))
        .unwrap()
        .unwrap();
    let expire = |in_use: HashSet<_>, at| {
        let alone = ground.store.exclusive().unwrap();
        let survey = ground.store.survey();
        let report = ground
            .store
            .would_collect(survey, &in_use, Some(at), &alone);
        report.unwrap().expired.len()
    };
    let at = |seconds| std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
    let last = at(record.used_at);
    let [top, below] = [&both.chain()[0], both.manifest_digest()];
    assert_ne!(top, below);
    assert_eq!(expire(HashSet::from([top.clone()]), last), 0);
    assert_eq!(expire(HashSet::from([below.clone()]), last), 0);
    // Up to the moment of its last use, and not before.
    assert_eq!(expire(HashSet::from([sha256(b"other")]), last), 1);
    assert_eq!(expire(HashSet::new(), at(record.used_at - 1)), 0);
}
