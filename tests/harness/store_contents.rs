//! What lies in the image store of a host, seen from outside: for tests that kill commands and then
//! ask whether it is whole.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::Host;
use crate::artifact::digest_of;

/// Everything below a directory: type and mode, and bytes or target, by path. Times don't count.
pub type Contents = BTreeMap<String, String>;

/// What lies below a directory.
pub fn contents(folder: &Path) -> Contents {
    let mut found = Contents::new();
    let mut open = vec![folder.to_owned()];
    while let Some(at) = open.pop() {
        for entry in fs::read_dir(&at).into_iter().flatten().flatten() {
            let path = entry.path();
            let metadata = fs::symlink_metadata(&path).unwrap();
            let mut shown = format!("{:o}", metadata.mode());
            if metadata.is_dir() {
                open.push(path.clone());
            } else if metadata.is_file() {
                shown.push_str(&format!(" {}", metadata.len()));
            } else if metadata.is_symlink() {
                shown.push_str(&format!(" {}", fs::read_link(&path).unwrap().display()));
            }
            let name = path.strip_prefix(folder).unwrap().display().to_string();
            found.insert(name, shown);
        }
    }
    found
}

/// The files in a host's store; locks are none that count.
pub fn store_files(host: &Host) -> Vec<String> {
    let found = contents(&host.data_dir().join("images"));
    let (folder, kind) = (0o040_000, 0o170_000);
    let is_file = |shown: &str| {
        let mode = shown.split(' ').next().unwrap_or_default();
        u32::from_str_radix(mode, 8).unwrap() & kind != folder
    };
    found
        .into_iter()
        .filter(|(name, shown)| is_file(shown) && Path::new(name).file_name().unwrap() != "lock")
        .map(|(name, _)| name)
        .collect()
}

/// The layers of a host's store by diff ID, each with its contents.
pub fn layers(host: &Host) -> BTreeMap<String, Contents> {
    let folder = host.data_dir().join("images/layers");
    fs::read_dir(&folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            (name, contents(&entry.path()))
        })
        .collect()
}

/// Expects everything that can be seen in the store to be whole: blobs by their digests, layers by
/// what they have in a complete store, images as the command itself judges them.
#[track_caller]
pub fn expect_whole(host: &Host, complete: &BTreeMap<String, Contents>) {
    let blobs = host.data_dir().join("images/blobs/sha256");
    for entry in fs::read_dir(blobs).into_iter().flatten().flatten() {
        let digest = digest_of(&fs::read(entry.path()).unwrap());
        let name = entry.file_name().into_string().unwrap();
        assert_eq!(digest, format!("sha256:{name}"), "a blob is not whole");
    }
    for (name, found) in layers(host) {
        assert_eq!(
            Some(&found),
            complete.get(&name),
            "layer {name} is seen and is not whole"
        );
    }
    let listed = host
        .fairing(["image", "list", "--format", "json"])
        .run()
        .ok()
        .expect_no_stderr()
        .json();
    for image in listed.as_array().unwrap() {
        assert!(image["damaged"].is_null(), "{image:#}");
    }
}
