use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

use image_layer::ContentError;
use rustix::fs::{
    CWD, FileType, Mode, Timespec, Timestamps, XattrFlags, mknodat, setxattr, utimensat,
};

use super::*;
use crate::fixture::{Tar, gzip, tree, zstd};

fn options() -> FetchOptions {
    FetchOptions {
        name: Some(Reference::parse("example.com/root:1").unwrap()),
        settings: ImageSettings {
            entrypoint: vec!["/bin/sh".into()],
            cmd: vec!["-c".into(), "true".into()],
            env: vec!["A=b".into()],
            user: Some("app".into()),
            ..ImageSettings::default()
        },
        ..FetchOptions::default()
    }
}

/// A directory with one of everything.
fn fill(ground: &Ground) -> PathBuf {
    let root = ground.path("root");
    let long = "long".repeat(40);
    fs::create_dir_all(root.join("etc").join(&long)).unwrap();
    fs::write(root.join("etc").join(&long).join("deep"), "deep").unwrap();
    fs::write(root.join("etc/passwd"), "root:x:0:0::/:/bin/sh\n").unwrap();
    fs::write(root.join("setuid"), vec![7; 700_000]).unwrap();
    std::os::unix::fs::chown(root.join("setuid"), Some(3_000_000), Some(5)).unwrap();
    let mode = fs::Permissions::from_mode(0o4750);
    fs::set_permissions(root.join("setuid"), mode).unwrap();
    fs::hard_link(root.join("setuid"), root.join("etc/twin")).unwrap();
    symlink("/etc/shadow", root.join("leads-out")).unwrap();
    symlink("../../..", root.join("etc/up")).unwrap();
    setxattr(
        root.join("setuid"),
        "user.note",
        b"a\0b",
        XattrFlags::empty(),
    )
    .unwrap();
    let fifo = Mode::from_raw_mode(0o640);
    mknodat(CWD, root.join("fifo"), FileType::Fifo, fifo, 0).unwrap();
    for (name, tv_sec, tv_nsec) in [("setuid", 1_000_000_000, 123_456_789), ("etc", -2, 5)] {
        let time = Timespec { tv_sec, tv_nsec };
        let times = Timestamps {
            last_access: time,
            last_modification: time,
        };
        utimensat(CWD, root.join(name), &times, rustix::fs::AtFlags::empty()).unwrap();
    }
    root
}

fn time_of(path: &Path) -> (i64, i64) {
    use std::os::unix::fs::MetadataExt;
    let meta = fs::symlink_metadata(path).unwrap();
    (meta.mtime(), meta.mtime_nsec())
}

#[test]
fn a_folder_comes_back_as_it_was() {
    let ground = Ground::new();
    let root = fill(&ground);
    let socket = std::os::unix::net::UnixListener::bind(root.join("socket")).unwrap();
    let (image, notes) = ground.import_with("rootfs:root", &options()).unwrap();
    drop(socket);
    fs::remove_file(root.join("socket")).unwrap();
    assert!(notes[0].contains("1 sockets are left out"), "{notes:?}");
    let unpacked = &image.layers()[0].path;
    assert_eq!(tree(unpacked), tree(&root));
    for name in ["setuid", "etc", "leads-out"] {
        assert_eq!(
            time_of(&unpacked.join(name)),
            time_of(&root.join(name)),
            "{name}"
        );
    }
    use std::os::unix::fs::MetadataExt;
    let inode = |name: &str| fs::metadata(unpacked.join(name)).unwrap().ino();
    assert_eq!(inode("setuid"), inode("etc/twin"));
    let mut value = [0; 8];
    let length = rustix::fs::getxattr(unpacked.join("setuid"), "user.note", &mut value).unwrap();
    assert_eq!(&value[..length], b"a\0b");
    let config = ground.config(&image);
    assert_eq!(config["config"]["Entrypoint"][0], "/bin/sh");
    assert_eq!(config["config"]["User"], "app");
    assert_eq!(config["config"].get("Labels"), None);
}

#[test]
fn the_same_folder_always_gives_the_same_image() {
    let (ground, other) = (Ground::new(), Ground::new());
    let digest = |ground: &Ground| {
        let (image, _) = ground.import_with("rootfs:root", &options()).unwrap();
        image.manifest_digest().clone()
    };
    let root = fill(&ground);
    let first = digest(&ground);
    assert_eq!(first, digest(&ground));
    // A copy elsewhere, whose directories were filled in another order.
    let copied = Command::new("cp")
        .arg("-a")
        .arg(&root)
        .arg(other.path("root"))
        .status();
    assert!(copied.unwrap().success());
    assert_eq!(first, digest(&other));
    fs::write(root.join("etc/passwd"), "root:x:0:0::/:/bin/no\n").unwrap();
    assert_ne!(first, digest(&ground));
}

#[test]
fn other_tools_read_the_layer_of_a_folder() {
    let ground = Ground::new();
    let root = fill(&ground);
    let file = ground.path("layer.tar");
    folder::pack(&root, &file, &image_layer::Limits::default()).unwrap();
    let out = ground.path("out");
    fs::create_dir(&out).unwrap();
    let untar = Command::new("tar")
        .args(["--numeric-owner", "-xpf"])
        .arg(&file)
        .arg("-C")
        .arg(&out)
        .status();
    assert!(untar.unwrap().success());
    assert_eq!(tree(&out), tree(&root));
    assert_eq!(time_of(&out.join("setuid")), time_of(&root.join("setuid")));
}

#[test]
fn links_are_packed_and_never_followed() {
    let ground = Ground::new();
    let secret = ground.path("secret");
    fs::create_dir(&secret).unwrap();
    fs::write(secret.join("key"), "the secret of the host").unwrap();
    let root = ground.path("root");
    fs::create_dir(&root).unwrap();
    symlink(&secret, root.join("folder")).unwrap();
    symlink(secret.join("key"), root.join("file")).unwrap();
    let (image, _) = ground.import_with("rootfs:root", &options()).unwrap();
    let manifest = ground.store.blob_path(image.manifest_digest());
    let manifest: Value = serde_json::from_slice(&fs::read(manifest).unwrap()).unwrap();
    let layer = manifest["layers"][0]["digest"].as_str().unwrap();
    let layer = image_name::Digest::parse(layer).unwrap();
    let layer = fs::read(ground.store.blob_path(&layer)).unwrap();
    let found = layer.windows(10).any(|window| window == b"the secret");
    assert!(!found);
    let types = tree(&image.layers()[0].path);
    assert!(
        types.iter().all(|line| line.contains(" 120777 ")),
        "{types:?}"
    );
}

#[test]
fn what_a_layer_would_read_differently_is_refused() {
    for name in [".wh.x", ".wh..wh..opq"] {
        let ground = Ground::new();
        fs::create_dir(ground.path("root")).unwrap();
        fs::write(ground.path("root").join(name), "").unwrap();
        let error = ground.import_with("rootfs:root", &options()).unwrap_err();
        assert!(error.to_string().contains(name), "{error}");
        assert_eq!(ground.leftovers(), 0);
    }
}

#[test]
fn limits_hold_for_folders_too() {
    let ground = Ground::new();
    fill(&ground);
    let mut few = options();
    few.limits.entries = 3;
    let mut flat = options();
    flat.limits.depth = 1;
    let mut small = options();
    small.limits.expanded = 100_000;
    for options in [few, flat, small] {
        let error = ground.import_with("rootfs:root", &options).unwrap_err();
        assert!(
            matches!(error, StoreError::Content(ContentError::LayerLimit { .. })),
            "{error}"
        );
        assert_eq!(ground.leftovers(), 0);
    }
}

#[test]
fn a_root_tar_is_the_layer_byte_for_byte() {
    let ground = Ground::new();
    let plain = Tar::default().folder("bin").file("bin/sh", b"shell").end();
    let packed = [
        ("plain", plain.clone()),
        ("gzip", gzip(&plain)),
        ("zstd", zstd(&plain)),
    ];
    for (name, bytes) in packed {
        ground.write(name, &bytes);
        let (image, _) = ground
            .import_with(&format!("rootfs:{name}"), &options())
            .unwrap();
        let blob = ground.store.blob_path(&sha256(&bytes));
        assert_eq!(fs::read(blob).unwrap(), bytes, "{name}");
        assert_eq!(image.layers()[0].diff_id, sha256(&plain));
    }
    // No layer is packed with xz: what is in it is the layer.
    let path = ground.write("root.tar", &plain);
    assert!(
        Command::new("xz")
            .arg("-9")
            .arg(path)
            .status()
            .unwrap()
            .success()
    );
    let (image, _) = ground
        .import_with("rootfs:root.tar.xz", &options())
        .unwrap();
    assert_eq!(image.layers()[0].diff_id, sha256(&plain));
}

#[test]
fn tars_that_are_none_are_refused() {
    let plain = Tar::default().file("bin/sh", b"shell").end();
    let mut cut = gzip(&plain);
    cut.truncate(cut.len() / 2);
    let mut traversal = Tar::default().file("../x", b"").end();
    traversal = gzip(&traversal);
    for (bytes, reason) in [
        (cut, "incomplete deflate stream"),
        (b"no tar".repeat(200), "corrupt tar archive"),
        (
            b"\xfd7zXZ\0 and no more".to_vec(),
            "corrupt compressed data",
        ),
        (traversal, "refused entry \"../x\""),
    ] {
        let ground = Ground::new();
        ground.write("root.tar", &bytes);
        let error = ground.import_with("rootfs:root.tar", &options());
        let error = error.unwrap_err().to_string();
        assert!(error.contains(reason), "{reason}: {error}");
        assert_eq!(ground.leftovers(), 0, "{reason}");
    }
}
