//! Whiteouts: odd ones are refused, others take overlayfs' form.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};

use super::{Ground, refused};
use crate::fixture::{Head, Tar};

#[test]
fn odd_whiteouts_are_refused() {
    for name in [
        ".wh.",
        ".wh..",
        ".wh...",
        "a/.wh.",
        ".wh.d/file",
        "a/.wh.d/.wh.e",
    ] {
        refused(Tar::default().file(name, b""));
    }
    refused(Tar::default().folder(".wh.d"));
    refused(Tar::default().symlink(".wh.d", "x"));
}

#[test]
fn whiteouts_of_aufs_are_left_out() {
    let ground = Ground::new();
    let tar = Tar::default()
        .file(".wh..wh.aufs", b"")
        .folder(".wh..wh.plnk")
        .file(".wh..wh.plnk/1.2", b"x")
        .file("real", b"");
    ground.unpack(&tar.end()).unwrap();
    assert_eq!(ground.tree().len(), 1);
}

#[test]
fn whiteouts_hide_by_the_form_of_overlayfs() {
    let ground = Ground::new();
    let tar = Tar::default()
        .file("a/.wh.gone", b"")
        .file("b/.wh..wh..opq", b"")
        .file(".wh.replaced", b"")
        .folder("replaced")
        .file(".wh.way", b"")
        .file("way/file", b"")
        .folder("first")
        .file(".wh.first", b"")
        .file("kept", b"1")
        .file(".wh.kept", b"");
    let unpacked = ground.unpack(&tar.end()).unwrap();
    assert!(!unpacked.opaque);
    let gone = ground.root().join("a/gone").symlink_metadata().unwrap();
    assert!(gone.file_type().is_char_device());
    assert_eq!(gone.rdev(), 0);
    for opaque in ["b", "replaced", "way", "first"] {
        let mut value = [0_u8; 8];
        let path = ground.root().join(opaque);
        let read = rustix::fs::getxattr(&path, "trusted.overlay.opaque", &mut value[..]);
        assert_eq!(read.map(|n| &value[..n]), Ok(&b"y"[..]), "{opaque}");
    }
    assert_eq!(fs::read(ground.root().join("kept")).unwrap(), b"1");
    assert!(
        Ground::new()
            .unpack(&Tar::default().file(".wh..wh..opq", b"").end())
            .unwrap()
            .opaque
    );
}
fn is_opaque(ground: &Ground, name: &str) -> bool {
    let mut value = [0_u8; 8];
    let path = ground.root().join(name);
    rustix::fs::getxattr(&path, "trusted.overlay.opaque", &mut value[..]).is_ok()
}

#[test]
fn a_folder_that_was_something_else_hides_the_one_below() {
    // To whoever applies members one by one, the directory of the layer below went with the first.
    let ground = Ground::new();
    let tar = Tar::default()
        .file("a", b"")
        .folder("a")
        .symlink("b", "x")
        .folder("b")
        .file(".wh.c", b"")
        .folder("c")
        .file("c", b"")
        .folder("c")
        .folder("d")
        .folder("d");
    ground.unpack(&tar.end()).unwrap();
    for name in ["a", "b", "c"] {
        assert!(is_opaque(&ground, name), "{name}");
    }
    assert!(!is_opaque(&ground, "d"));
}

#[test]
fn whiteouts_that_name_odd_things() {
    for name in [
        "a/.wh...",
        "a/.wh..",
        ".wh..wh..opq/x",
        "a/.wh..wh..opq/.wh..wh..opq/b",
        ".wh.a/.wh.b",
        ".wh./x",
    ] {
        let message = refused(Tar::default().file(name, b""));
        assert!(message.contains(name), "{message}");
    }
    for kind in *b"23456" {
        let head = |name| Head {
            name,
            kind,
            link: b"x",
            ..Head::default()
        };
        for name in [&b".wh.x"[..], b".wh..wh..opq"] {
            // A device without numbers would be refused for these.
            let tar = Tar::default().patched(&head(name), &[(329, b"0000001\0")]);
            let message = refused(tar);
            assert!(message.contains("must be a file"), "{message}");
        }
    }
    // A whiteout of a whiteout's name, and one through what is no directory.
    let ground = Ground::new();
    let tar = Tar::default()
        .file(".wh..wh", b"")
        .file("d/.wh.x", b"")
        .end();
    ground.unpack(&tar).unwrap();
    assert_eq!(ground.tree().len(), 3);
    refused(Tar::default().file("f", b"").file("f/.wh.x", b""));
}

#[test]
fn devices_of_an_upper_directory_hide_what_is_below() {
    let ground = Ground::new();
    let device = |name: &'static str| Head {
        name: name.as_bytes(),
        kind: b'3',
        mode: 0o777,
        uid: 7,
        ..Head::default()
    };
    let tar = Tar::default()
        .head(&device("gone"))
        // overlayfs makes its whiteouts as links to one another.
        .hard_link("a/linked", "gone")
        .file("file", b"1")
        .head(&device("file"))
        .folder("d/e")
        .head(&device("d"))
        .head(&device("back"))
        .folder("back")
        .file(".wh.also", b"")
        .hard_link("so", "also");
    ground.unpack(&tar.end()).unwrap();
    for name in ["gone", "a/linked", "file", "d", "also", "so"] {
        let meta = ground.root().join(name).symlink_metadata().unwrap();
        assert!(meta.file_type().is_char_device(), "{name}");
        assert_eq!((meta.rdev(), meta.nlink(), meta.uid()), (0, 1, 0), "{name}");
    }
    assert!(is_opaque(&ground, "back"));
}
