use super::super::push::add_bundle;
use super::*;
use crate::fixture::keeping;

fn manifest_path(name: &str) -> String {
    format!("/v2/a/manifests/{name}")
}

#[test]
fn a_bundle_is_listed_at_the_tag_only_where_the_registry_does_not_list_it() {
    for with_api in [true, false] {
        let (server, objects) = keeping(with_api);
        let image = sha256(MANIFEST);
        let path = manifest_path(image.as_ref());
        objects.lock().unwrap().insert(path, MANIFEST.to_vec());
        let mut client = pusher(&server, "a");
        let mut made = Vec::new();
        for bundle in [&b"{\"a\":1}"[..], b"{\"b\":2}", b"{\"a\":1}"] {
            made.push(add_bundle(&mut client, &image, bundle, 1 << 20).unwrap());
        }
        assert_eq!(made[0], made[2], "the same bundle is the same referrer");
        let objects = objects.lock().unwrap();
        let manifest = &objects[&manifest_path(made[0].as_ref())];
        let manifest: serde_json::Value = serde_json::from_slice(manifest).unwrap();
        assert_eq!(manifest["subject"]["digest"], image.as_ref());
        assert_eq!(manifest["subject"]["size"], MANIFEST.len());
        let list = objects.get(&manifest_path(&format!("sha256-{}", image.hex())));
        assert_eq!(list.is_none(), with_api);
        if let Some(list) = list {
            let list: serde_json::Value = serde_json::from_slice(list).unwrap();
            let digests: Vec<_> = list["manifests"]
                .as_array()
                .unwrap()
                .iter()
                .map(|entry| entry["digest"].clone())
                .collect();
            assert_eq!(digests, [made[0].as_ref(), made[1].as_ref()]);
        }
    }
}

#[test]
fn a_bundle_about_nothing_is_not_pushed() {
    let (server, objects) = keeping(true);
    let error = add_bundle(&mut pusher(&server, "a"), &sha256(b"x"), b"{}", 1 << 20).unwrap_err();
    assert!(
        matches!(error, RegistryError::UnknownImage { .. }),
        "{error}"
    );
    assert!(objects.lock().unwrap().is_empty());
}
