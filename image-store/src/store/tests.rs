//! The store as its users see it: fetch, resolve, read, list, remove and collect.

mod bad_input;
mod bundles;
mod collecting;
mod filesystems;
mod found;
mod left_alone;
mod names;
mod seals;
mod sizes;
mod together;

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use image_document::Platform;
use image_document::referrer::BundleLimits;
use image_name::Reference;
use tempfile::TempDir;

use super::{GcReport, Image, Pin, Store};
use crate::error::StoreError;
use crate::fetch::FetchEvent;
use crate::fixture::{Head, Tar, TestLayer, TestLayout, tree};
use crate::options::FetchOptions;

/// A layout with two images that share their base layer, and an empty store.
struct Ground {
    folder: TempDir,
    layout: TestLayout,
    store: Store,
}

fn base() -> TestLayer {
    TestLayer::gzip(&Tar::default().folder("bin").file("bin/sh", b"shell").end())
}

fn application(name: &str) -> TestLayer {
    let tar = Tar::default()
        .file(name, &vec![b'x'; 3000])
        .file("bin/.wh.sh", b"");
    TestLayer::gzip(&tar.end())
}

fn options() -> FetchOptions {
    FetchOptions {
        platform: "linux/amd64".parse().unwrap(),
        ..FetchOptions::default()
    }
}

fn platform() -> Platform {
    options().platform
}

fn named(name: &str) -> FetchOptions {
    FetchOptions {
        name: Some(Reference::parse(name).unwrap()),
        ..options()
    }
}

impl Ground {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut layout = TestLayout::new(&folder.path().join("layout"));
        layout.image("one", &[base(), application("one")]);
        layout.image("two", &[base(), application("two")]);
        let mut store = Store::open(&folder.path().join("var/images"));
        // Half a gigabyte would take its time.
        store.bundle_limits = BundleLimits::default();
        Self {
            folder,
            layout,
            store,
        }
    }

    fn fetch(&self, tag: &str) -> Result<Image, StoreError> {
        self.fetch_pinned(tag).map(|(image, _)| image)
    }

    fn fetch_pinned(&self, tag: &str) -> Result<(Image, Pin), StoreError> {
        self.store
            .begin_fetch(&self.layout.source(tag), &named(&format!("a.io/{tag}")))?
            .complete(&mut |_| {})
    }

    /// A collection, while no pod runs.
    #[track_caller]
    fn collect(&self) -> GcReport {
        collect(&self.store)
    }

    fn reference(&self, tag: &str) -> Reference {
        Reference::parse(&format!("a.io/{tag}")).unwrap()
    }

    /// Blobs, layers, names and half-done things, without the directories that hold them.
    fn contents(&self) -> Vec<String> {
        contents(self.store.path())
    }
}

#[track_caller]
fn collect(store: &Store) -> GcReport {
    let alone = store.exclusive().unwrap();
    let report = store.gc(store.survey(), &HashSet::new(), None, alone);
    report.unwrap()
}

fn contents(store: &Path) -> Vec<String> {
    ["blobs/sha256", "layers", "refs", "signatures", "tmp"]
        .iter()
        .flat_map(|part| {
            tree(&store.join(part))
                .into_iter()
                .map(move |l| format!("{part}/{l}"))
        })
        .collect()
}

#[test]
fn a_fetched_image_is_read_back() {
    let ground = Ground::new();
    let reference = ground.reference("one");
    assert_eq!(ground.store.resolve(&reference).unwrap(), None);
    let mut events = Vec::new();
    let fetch = ground
        .store
        .begin_fetch(&ground.layout.source("one"), &named("a.io/one"))
        .unwrap();
    assert_eq!(fetch.reference(), &reference);
    assert_eq!(fetch.chain().last(), Some(fetch.manifest_digest()));
    let (fetched, _) = fetch.complete(&mut |event| events.push(event)).unwrap();
    let present = |event: &&FetchEvent| matches!(event, FetchEvent::Layer { present: false, .. });
    assert_eq!(events.iter().filter(present).count(), 2);
    assert_eq!(
        events
            .iter()
            .filter(|e| matches!(e, FetchEvent::Done { .. }))
            .count(),
        2
    );

    let record = ground.store.resolve(&reference).unwrap().unwrap();
    let image = ground.store.image(&record.digest, &platform()).unwrap();
    assert_eq!(image.chain(), fetched.chain());
    assert_eq!(record.manifest, *image.manifest_digest());
    let [lowest, top] = image.layers() else {
        panic!("two layers")
    };
    assert_eq!(fs::read(lowest.path.join("bin/sh")).unwrap(), b"shell");
    assert!(top.path.join("one").exists());
    let cmd = image.config().config().as_ref().unwrap().cmd().clone();
    assert_eq!(cmd, Some(vec!["one".to_owned()]));
    let config = fs::read(ground.store.blob_path(image.config_digest())).unwrap();
    let layers = [&base().blob, &application("one").blob];
    let transferred = layers.iter().map(|blob| blob.len()).sum::<usize>() + config.len();
    assert_eq!(image.size(), transferred as u64);
    assert!(tree(&ground.store.path().join("tmp")).is_empty());
}

#[test]
fn the_store_is_closed_to_others() {
    use std::os::unix::fs::MetadataExt;
    let ground = Ground::new();
    ground.fetch("one").unwrap();
    for folder in ["", "blobs", "layers", "refs", "tmp"] {
        let mode = ground.store.path().join(folder).metadata().unwrap().mode();
        assert_eq!(mode & 0o7777, 0o700, "{folder}");
    }
}

#[test]
fn a_shared_layer_is_unpacked_once() {
    let ground = Ground::new();
    let base = ground.fetch("one").unwrap().layers()[0].clone();
    let inode = |path: &Path| std::os::unix::fs::MetadataExt::ino(&path.metadata().unwrap());
    let before = inode(&base.path);
    let mut present = Vec::new();
    ground
        .store
        .begin_fetch(&ground.layout.source("two"), &named("a.io/two"))
        .unwrap()
        .complete(&mut |event| {
            if let FetchEvent::Layer { present: there, .. } = event {
                present.push(there);
            }
        })
        .unwrap();
    assert_eq!(present, [true, false]);
    assert_eq!(inode(&base.path), before);
    assert_eq!(
        fs::read_dir(ground.store.path().join("layers"))
            .unwrap()
            .count(),
        3
    );
}

#[test]
fn dropping_a_fetch_leaves_nothing() {
    let ground = Ground::new();
    drop(
        ground
            .store
            .begin_fetch(&ground.layout.source("one"), &options())
            .unwrap(),
    );
    assert!(ground.contents().is_empty(), "{:?}", ground.contents());
}

#[test]
fn an_image_without_kept_layers() {
    let ground = Ground::new();
    let options = FetchOptions {
        keep_layers: false,
        ..named("a.io/one")
    };
    let source = ground.layout.source("one");
    ground
        .store
        .begin_fetch(&source, &options)
        .unwrap()
        .complete(&mut |_| {})
        .unwrap();
    let blobs = || {
        fs::read_dir(ground.store.path().join("blobs/sha256"))
            .unwrap()
            .count()
    };
    assert_eq!(blobs(), 2, "manifest and configuration");
    // Asked for later, they are fetched without being unpacked again.
    ground.fetch("one").unwrap();
    assert_eq!(blobs(), 4);
}

#[test]
fn a_damaged_store_is_told_by_name() {
    let ground = Ground::new();
    let image = ground.fetch("one").unwrap();
    let top = image.chain()[0].clone();
    let config = ground.store.blob_path(image.config_digest());
    let read = || ground.store.image(&top, &platform()).unwrap_err();
    let good = fs::read(&config).unwrap();
    fs::write(&config, [&good[..], b" "].concat()).unwrap();
    assert!(matches!(read(), StoreError::Damaged { path, .. } if path == config));
    fs::remove_file(&config).unwrap();
    assert!(matches!(read(), StoreError::Missing { .. }));
    // Fetching again repairs it.
    ground.fetch("one").unwrap();
    ground.store.image(&top, &platform()).unwrap();
    fs::remove_dir_all(image.layers()[0].path.parent().unwrap()).unwrap();
    assert!(
        read()
            .to_string()
            .contains(&image.layers()[0].diff_id.to_string())
    );
    ground.fetch("one").unwrap();
    ground.store.image(&top, &platform()).unwrap();
    let record = ground
        .store
        .path()
        .join("refs")
        .join(super::ref_name::file_name(&ground.reference("one")));
    fs::write(&record, "torn").unwrap();
    let error = ground.store.resolve(&ground.reference("one")).unwrap_err();
    assert!(
        error.to_string().contains(&*record.display().to_string()),
        "{error}"
    );
    ground.store.remove(&ground.reference("one")).unwrap();
    assert!(!record.exists());
}

#[test]
fn images_are_found_by_name_and_by_digest() {
    let ground = Ground::new();
    let one = ground.fetch("one").unwrap();
    ground.fetch("two").unwrap();
    let find = |text: &str| {
        ground
            .store
            .find(text)
            .unwrap()
            .map(|r| r.reference.to_string())
    };
    assert_eq!(find("a.io/one").as_deref(), Some("a.io/one:latest"));
    let hex = one.manifest_digest().hex();
    assert_eq!(find(&hex[..12]).as_deref(), Some("a.io/one:latest"));
    assert_eq!(
        find(&format!("sha256:{hex}")).as_deref(),
        Some("a.io/one:latest")
    );
    assert_eq!(find("a.io/three"), None);
    assert_eq!(find(&hex[..5]), None, "too short");
    let pinned = format!("a.io/one:latest@{}", one.manifest_digest());
    assert_eq!(find(&pinned).as_deref(), Some("a.io/one:latest"));
    assert_eq!(
        find(&format!("a.io/two:latest@{}", one.manifest_digest())),
        None
    );
    let names: Vec<_> = ground.store.references().unwrap();
    assert_eq!(names.len(), 2);
}

#[test]
fn all_names_are_listed_also_those_too_long_for_a_file() {
    let ground = Ground::new();
    ground.fetch("one").unwrap();
    let long = format!("a.io/{}:{}", "x".repeat(200), "y".repeat(120));
    let source = ground.layout.source("two");
    let fetch = ground.store.begin_fetch(&source, &named(&long)).unwrap();
    fetch.complete(&mut |_| {}).unwrap();
    let mut names: Vec<_> = ground.store.names().unwrap();
    names.sort_by_key(ToString::to_string);
    let long = Reference::parse(&long).unwrap();
    assert_eq!(names, [ground.reference("one"), long]);
}

#[test]
fn a_record_of_a_later_version_is_not_read_as_one_of_today() {
    let ground = Ground::new();
    ground.fetch("one").unwrap();
    let name = ground.reference("one");
    let file = super::ref_name::file_name(&name);
    let path = ground.store.path().join("refs").join(file);
    let today = fs::read_to_string(&path).unwrap();
    let of_version = |version: &str| today.replace(r#""version":1"#, version);
    fs::write(&path, of_version(r#""version":2"#)).unwrap();
    let error = ground.store.resolve(&name).unwrap_err().to_string();
    assert!(error.contains("made by a later fairing"), "{error}");
    for known in [r#""version":0"#, r#""version":1"#] {
        fs::write(&path, of_version(known)).unwrap();
        assert!(ground.store.resolve(&name).unwrap().is_some(), "{known}");
    }
}

#[test]
fn an_opaque_layer_hides_those_below_as_a_whole() {
    let mut ground = Ground::new();
    let top = TestLayer::gzip(
        &Tar::default()
            .file(".wh..wh..opq", b"")
            .file("n", b"")
            .end(),
    );
    ground.layout.image("opaque", &[base(), top.clone()]);
    let image = ground.fetch("opaque").unwrap();
    assert_eq!(image.layers().len(), 1);
    assert_eq!(image.layers()[0].diff_id, top.diff_id);
}

#[test]
fn signatures_are_added_and_read_back() {
    let ground = Ground::new();
    let manifest = ground.fetch("one").unwrap().manifest_digest().clone();
    assert!(ground.store.signatures(&manifest).unwrap().is_empty());
    for (payload, signature) in [("a", "YQ=="), ("b", "Yg=="), ("a", "YQ==")] {
        ground
            .store
            .add_signature(&manifest, payload.as_bytes(), signature)
            .unwrap();
    }
    let signatures = ground.store.signatures(&manifest).unwrap();
    assert_eq!(signatures.simple.len(), 2);
    let second = &signatures.simple[1];
    assert_eq!((&*second.payload, &*second.signature), (&b"b"[..], "Yg=="));
    // A fetch knows them, and a later one does not lose them.
    let fetch = ground
        .store
        .begin_fetch(&ground.layout.source("one"), &options())
        .unwrap();
    assert_eq!(fetch.signatures(), &signatures);
    fetch.complete(&mut |_| {}).unwrap();
    assert_eq!(ground.store.signatures(&manifest).unwrap(), signatures);
    let payload = ground.store.blob_path(&image_layer::sha256(b"a"));
    fs::write(payload, "c").unwrap();
    assert!(matches!(
        ground.store.signatures(&manifest),
        Err(StoreError::Damaged { .. })
    ));
}

#[test]
fn reading_an_image_writes_nothing() {
    let ground = Ground::new();
    let image = ground.fetch("one").unwrap();
    ground
        .store
        .add_signature(image.manifest_digest(), b"payload", "c2ln")
        .unwrap();
    let before = tree(ground.folder.path());
    let pin = ground.store.pin().unwrap();
    let record = ground
        .store
        .resolve(&ground.reference("one"))
        .unwrap()
        .unwrap();
    ground.store.image(&record.digest, &platform()).unwrap();
    let known = ground.store.signatures(&record.manifest).unwrap();
    assert_eq!(known.simple.len(), 1);
    drop(pin);
    assert_eq!(tree(ground.folder.path()), before);
}

#[test]
fn one_layer_twice_and_large_ones() {
    let mut ground = Ground::new();
    let noise = |seed: u32| {
        let mut state = seed;
        let bytes: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_le_bytes()[3]
        })
        .take((1 << 20) + 100_000)
        .collect();
        TestLayer::gzip(&Tar::default().file(&seed.to_string(), &bytes).end())
    };
    let layers: Vec<_> = (0..5).map(noise).collect();
    let mut twice = layers.clone();
    twice.push(layers[0].clone());
    ground.layout.image("large", &twice);
    let image = ground.fetch("large").unwrap();
    // Of equal layers the topmost counts.
    assert_eq!(image.layers().len(), 5);
    assert_eq!(
        fs::read_dir(ground.store.path().join("layers"))
            .unwrap()
            .count(),
        5
    );
    for (n, layer) in [1, 2, 3, 4, 0].into_iter().zip(image.layers()) {
        assert_eq!(
            layer.path.join(n.to_string()).metadata().unwrap().len(),
            (1 << 20) + 100_000
        );
    }
}

#[test]
fn the_root_of_a_layer_has_the_mode_it_says() {
    use std::os::unix::fs::MetadataExt;
    let mut ground = Ground::new();
    let head = Head {
        name: b"./",
        kind: b'5',
        mode: 0o711,
        ..Head::default()
    };
    let layer = TestLayer::gzip(&Tar::default().head(&head).file("f", b"").end());
    ground.layout.image("mode", &[layer]);
    let image = ground.fetch("mode").unwrap();
    assert_eq!(
        image.layers()[0].path.metadata().unwrap().mode() & 0o7777,
        0o711
    );
}
