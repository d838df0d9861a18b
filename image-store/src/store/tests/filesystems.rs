//! Images as filesystems: made once, and no longer there than the image.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use image_layer::seal::Depth;

use super::{Ground, collect, platform};
use crate::sha256;

#[test]
fn the_filesystem_of_an_image_is_made_once_and_known_by_its_digest() {
    let ground = Ground::new();
    let (one, _pin) = ground.fetch_pinned("one").unwrap();
    let first = ground
        .store
        .filesystem(one.layers(), Depth::Inodes)
        .unwrap();
    let bytes = fs::read(&first.path).unwrap();
    assert_eq!(first.digest, sha256(&bytes));
    assert_eq!(bytes[1024..1028], 0xe0f5_e1e2_u32.to_le_bytes());
    let metadata = fs::metadata(&first.path).unwrap();
    assert_eq!(metadata.mode() & 0o7777, 0o400);
    for depth in [Depth::Inodes, Depth::Contents] {
        let again = ground.store.filesystem(one.layers(), depth).unwrap();
        assert_eq!(again, first);
        assert_eq!(fs::metadata(&again.path).unwrap().ino(), metadata.ino());
    }
    // Another image has another one.
    let (two, _pin) = ground.fetch_pinned("two").unwrap();
    let other = ground
        .store
        .filesystem(two.layers(), Depth::Inodes)
        .unwrap();
    assert_ne!((other.path, other.digest), (first.path, first.digest));
    assert_eq!(
        fs::read_dir(ground.store.path().join("tmp"))
            .unwrap()
            .count(),
        0
    );
}

#[test]
fn a_filesystem_that_is_not_what_was_made_is_made_again() {
    let ground = Ground::new();
    let (one, _pin) = ground.fetch_pinned("one").unwrap();
    let filesystem = |depth| ground.store.filesystem(one.layers(), depth).unwrap();
    let first = filesystem(Depth::Inodes);
    let good = fs::read(&first.path).unwrap();
    let mut changed = good.clone();
    *changed.last_mut().unwrap() ^= 1;
    fs::set_permissions(&first.path, PermissionsExt::from_mode(0o600)).unwrap();
    fs::write(&first.path, &changed).unwrap();
    assert_eq!(filesystem(Depth::Inodes), first);
    assert!(fs::read(&first.path).unwrap() == good);
    // A record that fits what was changed: every byte tells.
    let record = first.path.with_file_name("filesystem.json");
    let mut json: serde_json::Value = serde_json::from_slice(&fs::read(&record).unwrap()).unwrap();
    json["digest"] = sha256(&changed).to_string().into();
    fs::write(&record, json.to_string()).unwrap();
    assert_eq!(filesystem(Depth::Contents), first);
    for damage in ["", "{}", "{\"digest\":7}"] {
        fs::write(&record, damage).unwrap();
        assert_eq!(filesystem(Depth::Inodes), first, "{damage:?}");
    }
    fs::remove_file(&first.path).unwrap();
    assert_eq!(filesystem(Depth::Inodes), first);
}

#[test]
fn a_filesystem_goes_with_the_last_image_of_its_layers() {
    let ground = Ground::new();
    for (tag, depth) in [("one", Depth::Inodes), ("two", Depth::Contents)] {
        let (image, _pin) = ground.fetch_pinned(tag).unwrap();
        ground.store.filesystem(image.layers(), depth).unwrap();
    }
    let one = ground.store.resolve(&ground.reference("one")).unwrap();
    let one = ground
        .store
        .image(&one.unwrap().manifest, &platform())
        .unwrap();
    let path = ground
        .store
        .filesystem(one.layers(), Depth::Inodes)
        .unwrap()
        .path;
    assert_eq!(collect(&ground.store).filesystems, 0);
    ground.store.remove(&ground.reference("one")).unwrap();
    // A running pod needs it.
    let in_use = [one.manifest_digest().clone()].into();
    let alone = ground.store.exclusive().unwrap();
    let report = ground.store.gc(ground.store.survey(), &in_use, None, alone);
    assert_eq!(report.unwrap().filesystems, 0);
    assert!(path.exists());
    let size = fs::metadata(&path).unwrap().len();
    let report = collect(&ground.store);
    assert_eq!(report.filesystems, 1);
    assert!(report.freed >= size, "{}", report.freed);
    assert!(!path.parent().unwrap().exists());
    // What is no filesystem of ours stays, and is told.
    let strange = ground.store.path().join("filesystems/strange");
    fs::create_dir(&strange).unwrap();
    assert_eq!(collect(&ground.store).strange, [strange]);
}
