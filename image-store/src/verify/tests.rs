//! Damage that is found in every kind of object, and what a repair makes of it.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use image_layer::seal::{CONTENTS, Depth, SEAL};
use image_layer::sha256;
use image_name::Digest;
use tempfile::TempDir;

use super::{Cure, Health, ImageReport};
use crate::fixture::{Tar, TestLayer, TestLayout, tree};
use crate::options::FetchOptions;
use crate::store::{Image, Store};

/// Something that is done to a path, and what is said of it.
type Named = (&'static str, fn(&Path));

/// A store with one image, and the layout that it came from.
struct Ground {
    folder: TempDir,
    store: Store,
    image: Image,
    blob: Digest,
}

fn tar() -> Tar {
    Tar::default()
        .folder("etc")
        .file("etc/motd", b"hello")
        .hard_link("etc/other", "etc/motd")
        .symlink("etc/link", "motd")
        .file("etc/.wh.gone", b"")
        .file("below/not-listed", b"x")
        .pax(&[("SCHILY.xattr.user.color", b"red")])
        .file("coloured", b"x")
}

fn options() -> FetchOptions {
    FetchOptions {
        platform: "linux/amd64".parse().unwrap(),
        ..FetchOptions::default()
    }
}

impl Ground {
    fn new() -> Self {
        Self::with(&options())
    }

    fn with(options: &FetchOptions) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut layout = TestLayout::new(&folder.path().join("layout"));
        let layer = TestLayer::gzip(&tar().end());
        let blob = sha256(&layer.blob);
        layout.image("one", &[layer]);
        let store = Store::open(&folder.path().join("images"));
        let fetch = store.begin_fetch(&layout.source("one"), options).unwrap();
        let (image, _) = fetch.complete(&mut |_| {}).unwrap();
        Self {
            folder,
            store,
            image,
            blob,
        }
    }

    fn root(&self) -> &Path {
        &self.image.layers()[0].path
    }

    fn beside(&self, name: &str) -> PathBuf {
        self.root().parent().unwrap().join(name)
    }

    fn diff_id(&self) -> &Digest {
        &self.image.layers()[0].diff_id
    }

    fn verify(&self, cure: Cure) -> ImageReport {
        self.verify_beside(cure, &HashMap::new())
    }

    fn verify_beside(&self, cure: Cure, users: &HashMap<Digest, String>) -> ImageReport {
        let records = self.store.references().unwrap();
        let mut audit = self.store.audit(&options(), cure).unwrap();
        audit.images(&records).unwrap();
        if audit.has_replacements() {
            let alone = self.store.exclusive().unwrap();
            audit.replace(users, &alone).unwrap();
        }
        let mut reports = audit.reports();
        drop(audit);
        assert!(tree(&self.store.path().join("tmp")).is_empty());
        reports.remove(0)
    }

    /// Verification finds the damage and names it; a repair undoes it.
    #[track_caller]
    fn finds_and_repairs(&self, parts: &[&str]) {
        let before = tree(self.root());
        let found = self.verify(Cure::None);
        assert_eq!(found.health, Health::Damaged);
        let told = format!("{:?}", found.problems);
        for part in parts {
            assert!(told.contains(part), "{told}");
        }
        assert_eq!(tree(self.root()), before, "finding changes nothing");
        let repaired = self.verify(Cure::Repair);
        assert_eq!(repaired.health, Health::Repaired, "{:?}", repaired.problems);
        self.is_sound();
    }

    #[track_caller]
    fn is_sound(&self) {
        let report = self.verify(Cure::None);
        assert_eq!(report.health, Health::Sound, "{:?}", report.problems);
        self.store
            .check_layers(self.image.layers(), Depth::Contents)
            .unwrap();
        assert_eq!(fs::read(self.root().join("etc/motd")).unwrap(), b"hello");
    }
}

#[test]
fn an_untouched_image_is_sound() {
    let ground = Ground::new();
    ground.is_sound();
    assert_eq!(ground.verify(Cure::Repair).health, Health::Sound);
    assert_eq!(ground.verify(Cure::None).layers, 1);
    assert_eq!(ground.verify(Cure::None).by_seal_alone, 0);
}

#[test]
fn damaged_trees_are_found_and_made_anew_from_the_kept_blob() {
    let changes: [Named; 7] = [
        ("has different content", |root| {
            fs::write(root.join("coloured"), "y").unwrap()
        }),
        ("etc/gone", |root| {
            fs::remove_file(root.join("etc/gone")).unwrap()
        }),
        ("was added", |root| fs::write(root.join("new"), "").unwrap()),
        ("extended attributes", |root| {
            rustix::fs::lremovexattr(root.join("coloured"), "user.color").unwrap();
        }),
        ("a different target", |root| {
            fs::remove_file(root.join("etc/link")).unwrap();
            std::os::unix::fs::symlink("MOTD", root.join("etc/link")).unwrap();
        }),
        ("has 1 names, and had 2", |root| {
            fs::remove_file(root.join("etc/other")).unwrap();
            fs::copy(root.join("etc/motd"), root.join("etc/other")).unwrap();
        }),
        ("missing", |root| fs::remove_dir_all(root).unwrap()),
    ];
    for (found, change) in changes {
        let ground = Ground::new();
        change(ground.root());
        // Times of what was written anew would tell as well.
        let names = ["coloured", "etc/link", "etc/motd", "etc/other"];
        let million = rustix::fs::Timespec {
            tv_sec: 1_000_000,
            tv_nsec: 0,
        };
        let times = rustix::fs::Timestamps {
            last_access: million,
            last_modification: million,
        };
        for name in names.map(|name| ground.root().join(name)) {
            let flags = rustix::fs::AtFlags::SYMLINK_NOFOLLOW;
            // Not all of them are there any more.
            let _ = rustix::fs::utimensat(rustix::fs::CWD, &name, &times, flags);
        }
        ground.finds_and_repairs(&[found, ground.diff_id().as_ref()]);
    }
}

#[test]
fn without_a_kept_blob_the_layer_comes_from_its_source_again() {
    let ground = Ground::new();
    let kept = ground.store.blob_path(&ground.blob);
    fs::remove_file(&kept).unwrap();
    let report = ground.verify(Cure::None);
    assert_eq!((report.health, report.by_seal_alone), (Health::Sound, 1));
    fs::write(ground.root().join("coloured"), "y").unwrap();
    ground.finds_and_repairs(&["coloured"]);
    assert!(kept.exists());
}

#[test]
fn without_blob_and_source_the_damage_is_told_and_stays() {
    let ground = Ground::new();
    fs::remove_file(ground.store.blob_path(&ground.blob)).unwrap();
    fs::remove_dir_all(ground.folder.path().join("layout")).unwrap();
    fs::write(ground.root().join("coloured"), "y").unwrap();
    let report = ground.verify(Cure::Repair);
    assert_eq!(report.health, Health::Damaged);
    let told = format!("{:?}", report.problems);
    assert!(told.contains("can't be restored"), "{told}");
}

#[test]
fn damaged_blobs_and_documents_are_fetched_again() {
    let ground = Ground::new();
    let [manifest, config, layer] = [
        ground.image.manifest_digest(),
        ground.image.config_digest(),
        &ground.blob,
    ]
    .map(|digest| ground.store.blob_path(digest));
    for path in [&manifest, &config, &layer] {
        let good = fs::read(path).unwrap();
        let mut bad = good.clone();
        bad[good.len() / 2] ^= 1;
        fs::write(path, bad).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        ground.finds_and_repairs(&[name]);
        assert_eq!(fs::read(path).unwrap(), good);
    }
    for path in [&manifest, &config] {
        fs::remove_file(path).unwrap();
        ground.finds_and_repairs(&["is missing"]);
    }
}

#[test]
fn an_index_that_does_not_name_the_manifest_is_told_and_hides_nothing_else() {
    let ground = Ground::new();
    let index = format!(
        r#"{{"schemaVersion":2,"manifests":[{{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"{}","size":1}}]}}"#,
        sha256(b"another manifest")
    );
    let digest = sha256(index.as_bytes());
    fs::write(ground.store.blob_path(&digest), &index).unwrap();
    let mut record = ground.store.references().unwrap().remove(0);
    record.digest = digest;
    fs::write(ground.root().join("etc/motd"), "other").unwrap();
    let mut audit = ground.store.audit(&options(), Cure::None).unwrap();
    audit.images(&[record]).unwrap();
    let report = audit.reports().remove(0);
    assert_eq!(report.health, Health::Damaged);
    let told = format!("{:?}", report.problems);
    assert!(told.contains("does not name the manifest"), "{told}");
    assert!(told.contains("etc/motd"), "{told}");
}

#[test]
fn a_seal_that_was_made_to_fit_a_changed_file_is_found() {
    let ground = Ground::new();
    let file = ground.root().join("coloured");
    let times = fs::metadata(&file).unwrap();
    fs::write(&file, "y").unwrap();
    let set = fs::FileTimes::new().set_modified(times.modified().unwrap());
    fs::File::options()
        .write(true)
        .open(&file)
        .and_then(|file| file.set_times(set))
        .unwrap();
    for name in [SEAL, CONTENTS] {
        fs::remove_file(ground.beside(name)).unwrap();
    }
    let folder = ground.root().parent().unwrap();
    let record = image_layer::seal::Record::default();
    image_layer::seal::seal(folder, ground.diff_id(), false, &record).unwrap();
    // No start can tell.
    ground
        .store
        .check_layers(ground.image.layers(), Depth::Contents)
        .unwrap();
    ground.finds_and_repairs(&["coloured", "has different content"]);
}

#[test]
fn a_missing_damaged_or_foreign_seal_is_made_anew() {
    for name in [SEAL, CONTENTS] {
        for cure in [Cure::Reseal, Cure::Repair] {
            let ground = Ground::new();
            let before = ground.root().metadata().unwrap();
            fs::remove_file(ground.beside(name)).unwrap();
            assert_eq!(ground.verify(Cure::None).health, Health::Damaged, "{name}");
            assert_eq!(ground.verify(cure).health, Health::Repaired, "{name}");
            ground.is_sound();
            let after = ground.root().metadata().unwrap();
            use std::os::unix::fs::MetadataExt;
            assert_eq!(before.ino(), after.ino(), "the tree stays");
        }
    }
}

#[test]
fn a_copied_store_is_sealed_again() {
    for keep in [true, false] {
        let ground = Ground::new();
        let copy = ground.beside("copy");
        let mut command = std::process::Command::new("cp");
        let copied = command.arg("-a").args([ground.root(), &copy]).status();
        assert!(copied.unwrap().success());
        fs::remove_dir_all(ground.root()).unwrap();
        fs::rename(copy, ground.root()).unwrap();
        if !keep {
            fs::remove_file(ground.store.blob_path(&ground.blob)).unwrap();
        }
        let check = ground
            .store
            .check_layers(ground.image.layers(), Depth::Inodes);
        let error = check.unwrap_err().to_string();
        assert!(error.contains("as after a copy or a restore"), "{error}");
        assert_eq!(ground.verify(Cure::None).health, Health::Damaged);
        let report = ground.verify(Cure::Reseal);
        assert_eq!(report.health, Health::Repaired, "{:?}", report.problems);
        ground.is_sound();
    }
}

#[test]
fn a_changed_tree_is_not_sealed_again() {
    let ground = Ground::new();
    fs::write(ground.root().join("coloured"), "y").unwrap();
    let seal = fs::read(ground.beside(SEAL)).unwrap();
    let report = ground.verify(Cure::Reseal);
    assert_eq!(report.health, Health::Damaged);
    assert_eq!(fs::read(ground.beside(SEAL)).unwrap(), seal);
}

#[test]
fn a_layer_that_a_pod_runs_with_stays_where_it_is() {
    let ground = Ground::new();
    fs::write(ground.root().join("coloured"), "y").unwrap();
    let users = HashMap::from([(ground.diff_id().clone(), "web".to_owned())]);
    let report = ground.verify_beside(Cure::Repair, &users);
    assert_eq!(report.health, Health::Damaged);
    let told = format!("{:?}", report.problems);
    assert!(told.contains("while pod web runs with it"), "{told}");
    assert_eq!(fs::read(ground.root().join("coloured")).unwrap(), b"y");
    ground.finds_and_repairs(&["coloured"]);
}

#[test]
fn signatures_are_read_too() {
    let ground = Ground::new();
    let subject = ground.image.manifest_digest();
    ground
        .store
        .add_signature(subject, b"payload", "c2ln")
        .unwrap();
    ground.is_sound();
    let payload = ground.store.blob_path(&sha256(b"payload"));
    fs::write(payload, "PAYLOAD").unwrap();
    let report = ground.verify(Cure::Repair);
    // The layout that the image came from has none.
    assert_eq!(report.health, Health::Damaged);
    let told = format!("{:?}", report.problems);
    assert!(told.contains("signatures of sha256:"), "{told}");
}

#[test]
fn strays_are_told_and_what_belongs_is_not() {
    let ground = Ground::new();
    assert_eq!(ground.store.strays().unwrap(), Vec::<PathBuf>::new());
    let mut expected = Vec::new();
    for name in ["odd", "blobs/sha256/x", "layers/removed-x", "tmp/stage-1"] {
        let path = ground.store.path().join(name);
        fs::write(&path, "").unwrap();
        expected.push(path);
    }
    expected.push(ground.beside("copy"));
    fs::write(ground.beside("copy"), "").unwrap();
    expected.sort();
    assert_eq!(ground.store.strays().unwrap(), expected);
}
