//! What a start finds of what was changed in a layer, and what an untouched one passes.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use image_layer::ContentError;
use image_layer::seal::{CONTENTS, Depth, SEAL};
use rustix::fs::{
    AtFlags, CWD, Timespec, Timestamps, UTIME_OMIT, XattrFlags, lsetxattr, utimensat,
};
use tempfile::TempDir;

use crate::error::StoreError;
use crate::fixture::{Head, Tar, TestLayer, TestLayout};
use crate::options::FetchOptions;
use crate::store::{Image, Store};

/// Something that is done to a path, and what is said of it.
type Named = (&'static str, fn(&Path));

/// A store with an image of two layers; the second has one of everything.
struct Ground {
    _folder: TempDir,
    store: Store,
    image: Image,
}

fn tar() -> Tar {
    Tar::default()
        .folder("etc")
        .file("etc/motd", b"hello")
        .file("etc/.wh.gone", b"")
        .symlink("etc/link", "motd")
        .hard_link("etc/other", "etc/motd")
        .head(&Head {
            name: b"etc/pipe",
            kind: b'6',
            ..Head::default()
        })
        .folder("opaque")
        .file("opaque/.wh..wh..opq", b"")
        .pax(&[("SCHILY.xattr.user.color", b"red")])
        .file("coloured", b"x")
        .file("large", &[7; 300_000])
}

impl Ground {
    fn new() -> Self {
        Self::of(tar())
    }

    fn of(tar: Tar) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut layout = TestLayout::new(&folder.path().join("layout"));
        let base = TestLayer::gzip(&Tar::default().file("etc/gone", b"below").end());
        layout.image("one", &[base, TestLayer::gzip(&tar.end())]);
        let store = Store::open(&folder.path().join("images"));
        let options = FetchOptions {
            platform: "linux/amd64".parse().unwrap(),
            ..FetchOptions::default()
        };
        let fetch = store.begin_fetch(&layout.source("one"), &options).unwrap();
        let (image, _) = fetch.complete(&mut |_| {}).unwrap();
        Self {
            _folder: folder,
            store,
            image,
        }
    }

    fn root(&self) -> &Path {
        &self.image.layers().last().unwrap().path
    }

    fn at(&self, path: &str) -> PathBuf {
        self.root().join(path)
    }

    fn beside(&self, name: &str) -> PathBuf {
        self.root().parent().unwrap().join(name)
    }

    fn check(&self, depth: Depth) -> Result<(), StoreError> {
        self.store.check_layers(self.image.layers(), depth)
    }

    /// Both depths find it and name it.
    #[track_caller]
    fn finds(&self, parts: &[&str]) {
        for depth in [Depth::Inodes, Depth::Contents] {
            let error = self.check(depth).unwrap_err();
            let text = error.to_string();
            assert!(
                matches!(
                    error,
                    StoreError::Content(ContentError::LayerChanged { .. })
                ),
                "{text}"
            );
            for part in parts {
                assert!(text.contains(part), "{text}");
            }
        }
    }

    #[track_caller]
    fn is_unsealed(&self, part: &str) {
        for depth in [Depth::Inodes, Depth::Contents] {
            let error = self.check(depth).unwrap_err();
            let text = error.to_string();
            assert!(
                matches!(error, StoreError::Content(ContentError::Unsealed { .. })),
                "{text}"
            );
            assert!(text.contains(part), "{text}");
        }
    }
}

fn set_mtime(path: &Path, seconds: i64, nanoseconds: i64) {
    let times = Timestamps {
        last_access: Timespec {
            tv_sec: 0,
            tv_nsec: UTIME_OMIT,
        },
        last_modification: Timespec {
            tv_sec: seconds,
            tv_nsec: nanoseconds,
        },
    };
    utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW).unwrap();
}

#[test]
fn an_untouched_layer_passes() {
    let ground = Ground::new();
    ground.check(Depth::Inodes).unwrap();
    ground.check(Depth::Contents).unwrap();
    // Reading is no change.
    assert_eq!(fs::read(ground.at("etc/motd")).unwrap(), b"hello");
    fs::read_dir(ground.at("etc")).unwrap().for_each(drop);
    ground.check(Depth::Contents).unwrap();
}

#[test]
fn a_content_of_the_same_size_and_time_is_found() {
    let ground = Ground::new();
    let file = ground.at("etc/motd");
    let before = fs::metadata(&file).unwrap();
    fs::write(&file, "HELLO").unwrap();
    set_mtime(&file, before.mtime(), before.mtime_nsec());
    let after = fs::metadata(&file).unwrap();
    assert_eq!(
        (after.len(), after.modified().unwrap()),
        (5, before.modified().unwrap())
    );
    ground.finds(&["etc/motd", "change time"]);
}

#[test]
fn sizes_times_modes_owners_and_attributes_are_found() {
    let changes: [Named; 6] = [
        ("large has 300001 bytes", |root| {
            fs::OpenOptions::new()
                .append(true)
                .open(root.join("large"))
                .and_then(|file| file.write_all_at(b"x", 300_000))
                .unwrap();
        }),
        ("large was written", |root| {
            set_mtime(&root.join("large"), 5, 0)
        }),
        ("coloured has mode 4755", |root| {
            fs::set_permissions(root.join("coloured"), Permissions::from_mode(0o4755)).unwrap();
        }),
        ("coloured has owner 7:8", |root| {
            std::os::unix::fs::chown(root.join("coloured"), Some(7), Some(8)).unwrap();
        }),
        ("coloured was changed", |root| {
            lsetxattr(
                root.join("coloured"),
                "user.color",
                b"blue",
                XattrFlags::empty(),
            )
            .unwrap();
        }),
        ("opaque was changed", |root| {
            rustix::fs::removexattr(root.join("opaque"), "trusted.overlay.opaque").unwrap();
        }),
    ];
    for (found, change) in changes {
        let ground = Ground::new();
        change(ground.root());
        ground.finds(&[found]);
    }
}

#[test]
fn what_was_added_removed_or_renamed_is_found() {
    let changes: [Named; 7] = [
        ("etc/new was added", |root| {
            fs::write(root.join("etc/new"), "").unwrap()
        }),
        ("folder was added", |root| {
            fs::create_dir(root.join("folder")).unwrap();
            fs::write(root.join("folder/file"), "").unwrap();
        }),
        ("etc/other was removed", |root| {
            fs::remove_file(root.join("etc/other")).unwrap()
        }),
        ("etc was removed", |root| {
            fs::remove_dir_all(root.join("etc")).unwrap()
        }),
        ("etc/moved was added", |root| {
            fs::rename(root.join("etc/link"), root.join("etc/moved")).unwrap();
        }),
        // The whiteout of etc/gone: what is below would be seen again.
        ("etc/gone was removed", |root| {
            fs::remove_file(root.join("etc/gone")).unwrap()
        }),
        // The new link may have the inode number of the old one.
        ("etc/link ", |root| {
            fs::remove_file(root.join("etc/link")).unwrap();
            symlink("/etc/shadow", root.join("etc/link")).unwrap();
        }),
    ];
    for (found, change) in changes {
        let ground = Ground::new();
        change(ground.root());
        let text = ground.check(Depth::Inodes).unwrap_err().to_string();
        // Where several things follow from one, any of them may be told first.
        let all = image_layer::seal::against_seal(
            ground.image.layers().last().unwrap(),
            ground.root().parent().unwrap(),
            None,
        );
        let told = all.unwrap().told;
        let named = told
            .iter()
            .any(|(path, what)| format!("{path} {what}").contains(found));
        assert!(named, "{found}: {text}: {told:?}");
    }
}

#[test]
fn a_folder_is_not_told_beside_what_was_added_in_it() {
    let ground = Ground::new();
    fs::write(ground.at("etc/new"), "").unwrap();
    let text = ground.check(Depth::Inodes).unwrap_err().to_string();
    assert!(text.ends_with("etc/new was added"), "{text}");
}

#[test]
fn the_mark_that_hides_layers_below_belongs_to_the_seal() {
    let ground = Ground::of(Tar::default().file(".wh..wh..opq", b"").file("x", b"x"));
    assert_eq!(ground.image.layers().len(), 1, "the base is hidden");
    ground.check(Depth::Contents).unwrap();
    fs::remove_file(ground.beside("opaque")).unwrap();
    ground.finds(&["\"opaque\"", "was removed"]);
    let ground = Ground::new();
    fs::write(ground.beside("opaque"), "").unwrap();
    ground.finds(&["\"opaque\"", "was added"]);
}

#[test]
fn without_a_whole_seal_nothing_passes() {
    let damage: [Named; 7] = [
        ("missing", |seal| fs::remove_file(seal).unwrap()),
        ("damaged", |seal| {
            File::options()
                .write(true)
                .open(seal)
                .unwrap()
                .set_len(50)
                .unwrap()
        }),
        ("damaged", |seal| {
            File::options()
                .write(true)
                .open(seal)
                .unwrap()
                .set_len(200)
                .unwrap()
        }),
        ("damaged", |seal| fs::write(seal, "").unwrap()),
        ("damaged", |seal| {
            let file = File::options().write(true).open(seal).unwrap();
            file.write_all_at(b"\xff", 150).unwrap();
        }),
        ("version 2", |seal| {
            let file = File::options().write(true).open(seal).unwrap();
            file.write_all_at(&[2], 8).unwrap();
        }),
        ("of another layer", |seal| {
            let layers = seal.parent().unwrap().parent().unwrap();
            let mut others = fs::read_dir(layers)
                .unwrap()
                .map(|entry| entry.unwrap().path());
            let other = others.find(|path| path != seal.parent().unwrap()).unwrap();
            fs::copy(other.join(SEAL), seal).unwrap();
        }),
    ];
    for (reason, damage) in damage {
        let ground = Ground::new();
        damage(&ground.beside(SEAL));
        ground.is_unsealed(reason);
    }
}

#[test]
fn no_damage_of_a_seal_passes_or_panics() {
    let ground = Ground::new();
    let good = fs::read(ground.beside(SEAL)).unwrap();
    for at in (0..good.len()).step_by(7) {
        let mut bad = good.clone();
        bad[at] ^= 0x41;
        fs::write(ground.beside(SEAL), bad).unwrap();
        assert!(ground.check(Depth::Inodes).is_err(), "byte {at}");
    }
}

#[test]
fn the_deep_check_needs_the_contents_and_the_other_does_not() {
    let ground = Ground::new();
    fs::remove_file(ground.beside(CONTENTS)).unwrap();
    ground.check(Depth::Inodes).unwrap();
    let error = ground.check(Depth::Contents).unwrap_err();
    assert!(
        matches!(error, StoreError::Content(ContentError::Unsealed { .. })),
        "{error}"
    );
}

#[test]
fn a_content_that_no_inode_tells_of_is_found_where_all_is_read() {
    let changes: [Named; 3] = [
        ("etc/motd has different content", |root| {
            fs::write(root.join("etc/motd"), "HELLO").unwrap()
        }),
        ("etc/link has a different target", |root| {
            fs::remove_file(root.join("etc/link")).unwrap();
            symlink("MOTD", root.join("etc/link")).unwrap();
        }),
        ("coloured has different extended attributes", |root| {
            lsetxattr(
                root.join("coloured"),
                "user.color",
                b"sea",
                XattrFlags::empty(),
            )
            .unwrap();
        }),
    ];
    for (found, change) in changes {
        let ground = Ground::new();
        change(ground.root());
        // As if a disk had given back something else: the inodes are those that are there now.
        let other = ground.beside("other");
        fs::create_dir(&other).unwrap();
        let layer = ground.image.layers().last().unwrap();
        image_layer::seal::remake(&layer.path, &other, &layer.diff_id, false).unwrap();
        fs::rename(other.join(SEAL), ground.beside(SEAL)).unwrap();
        ground.check(Depth::Inodes).unwrap();
        let text = ground.check(Depth::Contents).unwrap_err().to_string();
        assert!(text.contains(found), "{text}");
    }
}

#[test]
fn a_copy_of_the_store_has_to_be_sealed_again() {
    let ground = Ground::new();
    let copy = ground.beside("copy");
    let copied = std::process::Command::new("cp")
        .args(["-a", "--"])
        .args([ground.root(), &copy])
        .status();
    assert!(copied.unwrap().success());
    fs::remove_dir_all(ground.root()).unwrap();
    fs::rename(copy, ground.root()).unwrap();
    ground.is_unsealed("copy");
}

#[test]
fn many_files_are_checked_too() {
    let mut tar = Tar::default();
    for n in 0..6000 {
        tar = tar.file(&format!("folder{}/{n}", n % 50), n.to_string().as_bytes());
    }
    let ground = Ground::of(tar);
    ground.check(Depth::Inodes).unwrap();
    ground.check(Depth::Contents).unwrap();
    fs::write(ground.at("folder33/5933"), "5933").unwrap();
    ground.finds(&["folder33/5933"]);
}

#[test]
fn a_sparse_file_is_checked_without_reading_its_holes() {
    let map = [
        ("GNU.sparse.major", &b"1"[..]),
        ("GNU.sparse.minor", b"0"),
        ("GNU.sparse.name", b"sparse"),
        ("GNU.sparse.realsize", b"68719476736"),
    ];
    let mut data = b"1\n1000000\n512\n".to_vec();
    data.resize(512, 0);
    data.extend([5; 512]);
    let ground = Ground::of(Tar::default().pax(&map).file("made-up", &data));
    assert_eq!(fs::metadata(ground.at("sparse")).unwrap().len(), 64 << 30);
    // 64 GiB of zeros would take half a minute.
    ground.check(Depth::Contents).unwrap();
}
