//! Each row of the attack list: refused or contained, and nothing outside changes.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};

use super::Ground;
use crate::digest::sha256;
use crate::error::StoreError;
use crate::fixture::{Head, Tar, gzip};
use crate::origin::Limits;

fn refused(tar: Tar) -> String {
    let error = Ground::new().unpack(&tar.end()).unwrap_err();
    assert!(matches!(error, StoreError::UnsafeEntry { .. }), "{error:?}");
    error.to_string()
}

#[test]
fn names_with_dots_are_refused() {
    for name in [
        "../outside/file",
        "a/../../outside/file",
        "/../outside/file",
        "a/..",
    ] {
        let message = refused(Tar::default().file(name, b"evil"));
        assert!(message.contains("\"..\" component"), "{message}");
    }
}

#[test]
fn absolute_names_stay_below_the_root() {
    let ground = Ground::new();
    let name = format!("{}/file", ground.outside());
    ground
        .unpack(&Tar::default().file(&name, b"evil").end())
        .unwrap();
    let inside = ground.root().join(name.trim_start_matches('/'));
    assert_eq!(fs::read(inside).unwrap(), b"evil");
}

#[test]
fn nothing_is_written_through_a_symbolic_link() {
    let ground = Ground::new();
    for target in [ground.outside(), "../outside".to_owned(), "real".to_owned()] {
        for tar in [
            Tar::default()
                .folder("real")
                .symlink("l", &target)
                .file("l/file", b"evil"),
            Tar::default()
                .folder("real")
                .symlink("l", &target)
                .folder("l/sub"),
            Tar::default()
                .folder("real")
                .symlink("l", &target)
                .symlink("l/s", "x"),
            Tar::default()
                .folder("real")
                .symlink("l", &target)
                .file("l/.wh.file", b""),
            Tar::default()
                .folder("real")
                .symlink("l", &target)
                .file("l/.wh..wh..opq", b""),
            Tar::default()
                .folder("real")
                .symlink("l", &target)
                .hard_link("h", "l/file"),
            Tar::default()
                .folder("real")
                .symlink("l", &target)
                .file("l/new/file", b"evil"),
        ] {
            let ground = Ground::new();
            let error = ground.unpack(&tar.end()).unwrap_err();
            assert!(matches!(error, StoreError::UnsafeEntry { .. }), "{error:?}");
        }
    }
}

#[test]
fn a_link_in_the_place_of_a_cached_folder_is_not_followed() {
    let ground = Ground::new();
    let tar = Tar::default()
        .folder("d")
        .file("d/a", b"1")
        .symlink("d", &ground.outside())
        .file("d/file", b"evil");
    let error = ground.unpack(&tar.end()).unwrap_err();
    assert!(error.to_string().contains("symbolic link"), "{error}");
}

#[test]
fn a_file_in_the_place_of_a_link_replaces_the_link() {
    let ground = Ground::new();
    let target = format!("{}/file", ground.outside());
    ground
        .unpack(
            &Tar::default()
                .symlink("f", &target)
                .file("f", b"evil")
                .end(),
        )
        .unwrap();
    assert_eq!(fs::read(ground.root().join("f")).unwrap(), b"evil");
    assert!(
        ground
            .root()
            .join("f")
            .symlink_metadata()
            .unwrap()
            .is_file()
    );
}

#[test]
fn a_folder_in_the_place_of_a_link_replaces_the_link() {
    for name in ["foo", "foo/", "foo/."] {
        let ground = Ground::new();
        let head = Head {
            name: name.as_bytes(),
            kind: b'5',
            mode: 0o777,
            ..Head::default()
        };
        let tar = Tar::default().symlink("foo", &ground.outside()).head(&head);
        ground.unpack(&tar.end()).unwrap();
        assert!(
            ground
                .root()
                .join("foo")
                .symlink_metadata()
                .unwrap()
                .is_dir()
        );
    }
}

#[test]
fn hard_links_reach_nothing_outside() {
    let ground = Ground::new();
    let outside = format!("{}/file", ground.outside());
    refused(Tar::default().hard_link("h", "../outside/file"));
    refused(Tar::default().hard_link("h", &outside));
    refused(Tar::default().hard_link("h", "missing"));
    refused(Tar::default().folder("d").hard_link("h", "d"));
    refused(Tar::default().hard_link("h", ""));
    refused(Tar::default().hard_link("h", "h"));
    refused(Tar::default().hard_link("h", "/"));
    refused(Tar::default().file(".wh.gone", b"").hard_link("h", "gone"));
}

#[test]
fn a_hard_link_to_a_symbolic_link_is_to_the_link_itself() {
    let ground = Ground::new();
    let target = format!("{}/file", ground.outside());
    let tar = Tar::default().symlink("s", &target).hard_link("h", "s");
    ground.unpack(&tar.clone().end()).unwrap();
    assert_eq!(
        fs::read_link(ground.root().join("h")).unwrap().to_str(),
        Some(&*target)
    );
    // Writing to that name makes a new file.
    let ground = Ground::new();
    ground.unpack(&tar.file("h", b"evil").end()).unwrap();
    assert_eq!(fs::read(ground.root().join("h")).unwrap(), b"evil");
}

#[test]
fn a_hard_link_over_itself_or_its_folder() {
    let ground = Ground::new();
    let tar = Tar::default()
        .file("a", b"1")
        .hard_link("b", "a")
        .hard_link("b", "a");
    ground.unpack(&tar.end()).unwrap();
    assert_eq!(ground.root().join("a").metadata().unwrap().nlink(), 2);
    refused(
        Tar::default()
            .folder("d")
            .file("d/a", b"1")
            .hard_link("d", "d/a"),
    );
}

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
fn devices_are_not_made() {
    let ground = Ground::new();
    let device = |name, kind| Head {
        name,
        kind,
        ..Head::default()
    };
    let tar = Tar::default()
        .head(&device(b"c", b'3'))
        .head(&device(b"b", b'4'))
        .head(&device(b"missing/c", b'3'))
        .file("f", b"");
    ground.unpack(&tar.end()).unwrap();
    assert_eq!(ground.tree(), ["f 100644 0:0 0"]);
}

#[test]
fn overlay_attributes_are_not_smuggled() {
    let ground = Ground::new();
    let records: [(&str, &[u8]); 5] = [
        ("SCHILY.xattr.trusted.overlay.opaque", b"y"),
        ("SCHILY.xattr.trusted.overlay.redirect", b"/outside"),
        ("SCHILY.xattr.user.overlay.opaque", b"y"),
        ("SCHILY.xattr.security.selinux", b"x"),
        ("SCHILY.xattr.user.kept", b"value"),
    ];
    let tar = Tar::default()
        .pax(&records)
        .folder("d")
        .pax(&records)
        .file("f", b"");
    ground.unpack(&tar.end()).unwrap();
    for name in ["d", "f"] {
        let mut list = [0_u8; 1024];
        let length = rustix::fs::listxattr(ground.root().join(name), &mut list[..]).unwrap();
        let list = String::from_utf8_lossy(&list[..length]).into_owned();
        assert!(!list.contains("overlay"), "{list}");
        assert!(list.contains("user.kept"), "{list}");
    }
}

#[test]
fn bombs_stop_at_their_limits() {
    let over = |tar: &[u8], limits: Limits| {
        let ground = Ground::new();
        let error = ground
            .unpack_blob(&gzip(tar), &sha256(tar), &limits)
            .unwrap_err();
        assert!(
            matches!(error, StoreError::LimitExceeded { .. }),
            "{error:?}"
        );
        ground
    };
    let entries = (0..11)
        .fold(Tar::default(), |tar, n| tar.file(&n.to_string(), b""))
        .end();
    over(
        &entries,
        Limits {
            entries: 10,
            ..Limits::default()
        },
    );
    let large = Tar::default().file("f", &vec![0; 2 << 20]).end();
    over(
        &large,
        Limits {
            expanded: 1 << 20,
            ..Limits::default()
        },
    );
    // A sparse file counts in full, though it has no bytes.
    let sparse = Tar::default()
        .pax(&[("GNU.sparse.map", b""), ("GNU.sparse.size", b"99999999999")])
        .file("f", b"")
        .end();
    over(
        &sparse,
        Limits {
            expanded: 1 << 30,
            ..Limits::default()
        },
    );
    // Zeros behind the end of the archive count too.
    let padded = [Tar::default().end(), vec![0; 4 << 20]].concat();
    over(
        &padded,
        Limits {
            expanded: 1 << 20,
            ..Limits::default()
        },
    );
    let long = Head {
        kind: b'L',
        size: Some(1 << 30),
        ..Head::default()
    };
    over(&Tar::default().head(&long).end(), Limits::default());
    let pax = Head {
        kind: b'x',
        size: Some(1 << 30),
        ..Head::default()
    };
    over(&Tar::default().head(&pax).end(), Limits::default());
    let deep = "d/".repeat(40);
    let error = Ground::new()
        .unpack_blob(
            &Tar::default().folder(&deep).end(),
            &sha256(&Tar::default().folder(&deep).end()),
            &Limits {
                depth: 30,
                ..Limits::default()
            },
        )
        .unwrap_err();
    assert!(error.to_string().contains("30 components"), "{error}");
}

#[test]
fn two_readers_can_not_disagree() {
    let corrupt = |tar: Vec<u8>| {
        let error = Ground::new().unpack(&tar).unwrap_err();
        assert!(
            matches!(
                error,
                StoreError::CorruptLayer { .. } | StoreError::UnsafeEntry { .. }
            ),
            "{error:?}"
        );
    };
    // Data of a kind that has none: some readers skip it, some read headers in it.
    for kind in *b"1235" {
        corrupt(
            Tar::default()
                .head(&Head {
                    kind,
                    link: b"x",
                    data: b"data",
                    ..Head::default()
                })
                .end(),
        );
    }
    let long = |tar: Tar| {
        tar.head(&Head {
            kind: b'L',
            data: b"name",
            ..Head::default()
        })
    };
    corrupt(long(long(Tar::default())).file("f", b"").end());
    corrupt(
        Tar::default()
            .pax(&[("path", b"a")])
            .pax(&[("path", b"b")])
            .file("f", b"")
            .end(),
    );
    corrupt(Tar::default().pax(&[("path", b"a")]).end());
    corrupt(
        Tar::default()
            .head(&Head {
                kind: b'?',
                ..Head::default()
            })
            .end(),
    );
    corrupt(Tar::default().raw(&[b'x'; 512]).end());
    corrupt(
        [
            Tar::default().file("f", b"").end(),
            Tar::default().file("hidden", b"").end(),
        ]
        .concat(),
    );
    corrupt(
        Tar::default()
            .head(&Head {
                size: Some(5000),
                data: b"short",
                ..Head::default()
            })
            .open_end(),
    );
    corrupt(Tar::default().file("f", b"").raw(&[b'x'; 100]).open_end());
    corrupt(
        Tar::default()
            .pax(&[("path", b"a\0b")])
            .file("f", b"")
            .end(),
    );
    corrupt(
        Tar::default()
            .pax(&[("uid", b"4294967295")])
            .file("f", b"")
            .end(),
    );
    corrupt(
        Tar::default()
            .pax(&[("uid", b"99999999999")])
            .file("f", b"")
            .end(),
    );
}

#[test]
fn the_pax_size_decides_where_the_next_header_is() {
    // Whoever believed the header's size of zero would find a member "hidden" (CVE-2025-62518).
    let ground = Ground::new();
    let hidden = Tar::default().file("hidden", b"evil").open_end();
    let size = hidden.len().to_string();
    let head = Head {
        name: b"f",
        size: Some(0),
        ..Head::default()
    };
    let tar = Tar::default()
        .pax(&[("size", size.as_bytes())])
        .head(&head)
        .raw(&hidden);
    ground.unpack(&tar.file("last", b"").end()).unwrap();
    assert_eq!(fs::read(ground.root().join("f")).unwrap(), hidden);
    assert_eq!(ground.tree().len(), 2);
}

#[test]
fn files_replace_folders_and_back() {
    let ground = Ground::new();
    let tar = Tar::default()
        .folder("d/e")
        .file("d/e/f", b"1")
        .file("d", b"2")
        .folder("d")
        .file("d/g", b"3")
        .file("d/g", b"4");
    ground.unpack(&tar.end()).unwrap();
    assert_eq!(fs::read(ground.root().join("d/g")).unwrap(), b"4");
    assert_eq!(ground.tree().len(), 2);
    refused(Tar::default().file("f", b"").file("f/x", b""));
    refused(Tar::default().file(".", b""));
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
