//! What a list says of images: sizes to the byte, and what is wrong with them.

use image_document::media_type::{OCI_INDEX, OCI_MANIFEST};
use image_layer::sha256;
use image_name::Digest;

use super::super::{Listing, RefRecord};
use super::*;

/// Bytes of blobs.
fn blobs(ground: &Ground) -> u64 {
    let entries = fs::read_dir(ground.store.blobs_folder()).unwrap();
    entries
        .map(|entry| entry.unwrap().metadata().unwrap().len())
        .sum()
}

/// Bytes of a layer as they are on record.
fn layer(ground: &Ground, diff_id: &Digest) -> u64 {
    let path = ground.store.layer_folder(diff_id).join("layer.json");
    let facts: serde_json::Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    facts["size"].as_u64().unwrap()
}

fn list(ground: &Ground) -> Vec<Listing> {
    let (listed, unreadable) = ground.store.list().unwrap();
    assert!(unreadable.is_empty(), "{unreadable:?}");
    listed
}

/// Gives an image a further name.
fn name(ground: &Ground, name: &str, digest: &Digest, manifest: &Digest) {
    let reference = Reference::parse(name).unwrap();
    let path = ground
        .store
        .refs_folder()
        .join(super::super::file_name(&reference));
    let record = RefRecord::new(reference, digest.clone(), manifest.clone(), String::new());
    fs::write(path, record.to_bytes()).unwrap();
}

#[test]
fn an_image_costs_its_blobs_and_its_unpacked_layers() {
    let ground = Ground::new();
    let image = ground.fetch("one").unwrap();
    let layers: u64 = image
        .layers()
        .iter()
        .map(|own| layer(&ground, &own.diff_id))
        .sum();
    assert!(layers > 3000, "{layers}");
    let [only] = list(&ground).try_into().unwrap();
    assert_eq!(only.size, blobs(&ground) + layers);
    assert_eq!((only.exclusive, only.layers), (only.size, 2));
    assert_eq!((only.damaged, only.created), (None, None));

    // Its signatures count, in both forms.
    let manifest = image.manifest_digest();
    ground
        .store
        .add_signature(manifest, b"payload", "c2ln")
        .unwrap();
    ground.store.add_bundle(manifest, b"{}").unwrap();
    let [signed] = list(&ground).try_into().unwrap();
    assert!(signed.size > only.size);
    assert_eq!(signed.size, blobs(&ground) + layers);
}

#[test]
fn what_two_names_need_goes_with_neither() {
    let ground = Ground::new();
    let one = ground.fetch("one").unwrap();
    let before = list(&ground)[0].size;
    let digest = one.manifest_digest().clone();
    name(&ground, "b.io/again", &digest, &digest);
    let both = list(&ground);
    assert_eq!(both.len(), 2);
    for listing in &both {
        assert_eq!((listing.size, listing.exclusive), (before, 0));
    }
    // Of another image with the same base, that is shared and the rest is its own.
    ground
        .store
        .remove(&Reference::parse("b.io/again").unwrap())
        .unwrap();
    let two = ground.fetch("two").unwrap();
    let shared = layer(&ground, &base().diff_id) + base().blob.len() as u64;
    for listing in list(&ground) {
        assert_eq!(listing.exclusive, listing.size - shared);
    }
    assert_eq!(two.layers()[0].diff_id, base().diff_id);
}

#[test]
fn a_layer_counts_once_however_often_an_image_has_it() {
    let mut ground = Ground::new();
    ground.layout.image("twice", &[base(), base()]);
    ground.fetch("twice").unwrap();
    let [twice] = list(&ground).try_into().unwrap();
    assert_eq!(twice.size, blobs(&ground) + layer(&ground, &base().diff_id));
    assert_eq!(twice.layers, 2);
}

#[test]
fn a_layer_without_a_record_of_its_size_is_there_and_one_without_its_files_is_not() {
    let ground = Ground::new();
    let image = ground.fetch("one").unwrap();
    let own = &image.layers()[1].diff_id;
    let folder = ground.store.layer_folder(own);
    let (whole, size) = (list(&ground)[0].size, layer(&ground, own));
    for torn in [Some("{"), None] {
        let record = folder.join("layer.json");
        match torn {
            Some(text) => fs::write(&record, text).unwrap(),
            None => fs::remove_file(&record).unwrap(),
        }
        let [listing] = list(&ground).try_into().unwrap();
        assert_eq!((listing.size, listing.damaged), (whole - size, None));
    }
    fs::remove_dir_all(folder.join("fs")).unwrap();
    let [listing] = list(&ground).try_into().unwrap();
    assert_eq!(listing.size, whole - size);
    assert!(listing.damaged.unwrap().contains(own.hex()));
    // Without its manifest nothing is known of it.
    fs::remove_file(ground.store.blob_path(image.manifest_digest())).unwrap();
    let [listing] = list(&ground).try_into().unwrap();
    assert!(
        listing
            .damaged
            .unwrap()
            .contains(image.manifest_digest().hex())
    );
    assert_eq!((listing.size, listing.layers), (0, 0));
}

#[test]
fn names_of_one_index_for_two_platforms_are_two_images() {
    let mut ground = Ground::new();
    let (one, two) = (ground.fetch("one").unwrap(), ground.fetch("two").unwrap());
    ground.layout.image("small", &[base()]);
    let small = ground.fetch("small").unwrap();
    let members = [&one, &two, &small].map(|image| {
        let digest = image.manifest_digest();
        let size = fs::metadata(ground.store.blob_path(digest)).unwrap().len();
        serde_json::json!({ "mediaType": OCI_MANIFEST, "digest": digest, "size": size })
    });
    let index = serde_json::json!({
        "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": members,
    })
    .to_string();
    let top = sha256(index.as_bytes());
    fs::write(ground.store.blob_path(&top), &index).unwrap();
    for tag in ["one", "two", "small"] {
        ground.store.remove(&ground.reference(tag)).unwrap();
    }
    name(&ground, "a.io/a", &top, one.manifest_digest());
    name(&ground, "a.io/b", &top, small.manifest_digest());
    let listed = list(&ground);
    let layers: Vec<_> = listed.iter().map(|listing| listing.layers).collect();
    assert_eq!(layers, [2, 1]);
    // Of another platform's image nothing has to be there.
    fs::remove_dir_all(two.layers()[1].path.parent().unwrap()).unwrap();
    fs::remove_dir_all(one.layers()[1].path.parent().unwrap()).unwrap();
    let damaged: Vec<_> = list(&ground)
        .iter()
        .map(|listing| listing.damaged.is_some())
        .collect();
    assert_eq!(damaged, [true, false]);
}

#[test]
fn what_no_directory_holds_has_no_size() {
    use super::super::listing::Folders;
    let folder = tempfile::tempdir().unwrap();
    let folders = Folders::of(&Store::open(&folder.path().join("none")));
    let digest = sha256(b"x");
    assert_eq!(
        (folders.blob_size(&digest), folders.layer_size(&digest)),
        (0, None)
    );
}
