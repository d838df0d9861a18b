//! Device nodes, fifos and extended attributes.

use std::os::unix::fs::{FileTypeExt, MetadataExt};

use super::{Ground, refused};
use crate::fixture::{Head, Tar};

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
fn attributes_of_the_overlay_and_of_the_host_are_not_smuggled() {
    let ground = Ground::new();
    let records: [(&str, &[u8]); 10] = [
        ("SCHILY.xattr.trusted.overlay.metacopy", b""),
        ("SCHILY.xattr.trusted.overlay.origin", b"x"),
        ("SCHILY.xattr.user.overlay.redirect", b"/outside"),
        ("SCHILY.xattr.user.overlay.", b"y"),
        ("SCHILY.xattr.security.ima", b"x"),
        ("SCHILY.xattr.security.evm", b"x"),
        ("SCHILY.xattr.security.capability\0x", b"x"),
        ("SCHILY.xattr.system.posix_acl_access", b"x"),
        ("LIBARCHIVE.xattr.trusted.overlay.opaque", b"eQ=="),
        ("SCHILY.xattr.user.overlayed", b"kept"),
    ];
    let tar = Tar::default().pax(&records).file("f", b"").end();
    ground.unpack(&tar).unwrap();
    let mut list = [0_u8; 1024];
    let length = rustix::fs::listxattr(ground.root().join("f"), &mut list[..]).unwrap();
    assert_eq!(&list[..length], b"user.overlayed\0");
}

#[test]
fn device_nodes_are_made() {
    let ground = Ground::new();
    let device = |name, kind, numbers: [&[u8]; 2]| {
        let head = Head {
            name,
            kind,
            mode: 0o4620,
            uid: 5,
            gid: 6,
            ..Head::default()
        };
        Tar::default().patched(&head, &[(329, numbers[0]), (337, numbers[1])])
    };
    let tar = [
        device(b"dev/null", b'3', [b"0000001\0", b"0000003\0"]).open_end(),
        device(b"disk", b'4', [b"0000010\0", b"0001000\0"]).open_end(),
        device(b"block0", b'4', [b"0000000\0", b"0000000\0"]).open_end(),
        Tar::default().hard_link("same", "disk").end(),
    ]
    .concat();
    ground.unpack(&tar).unwrap();
    let meta = |name: &str| ground.root().join(name).symlink_metadata().unwrap();
    let null = meta("dev/null");
    assert!(null.file_type().is_char_device());
    assert_eq!((null.rdev(), null.mode() & 0o7777), (0x103, 0o4620));
    assert_eq!((null.uid(), null.gid(), null.mtime()), (5, 6, 1_000_000));
    let disk = meta("disk");
    assert!(disk.file_type().is_block_device());
    assert_eq!(
        (disk.rdev(), disk.nlink()),
        (rustix::fs::makedev(8, 512), 2)
    );
    assert_eq!(meta("block0").rdev(), 0);

    for (numbers, reason) in [
        ([&b"0010000\0"[..], &b"0000000\0"[..]], "out of range"),
        ([b"0000000\0", b"7777777\0"], "out of range"),
        ([&[0xff; 8], b"0000000\0"], "not a number"),
    ] {
        let error = Ground::new()
            .unpack(&device(b"c", b'3', numbers).end())
            .unwrap_err()
            .to_string();
        assert!(error.contains(reason) && error.contains("\"c\""), "{error}");
    }
}

#[test]
fn fifos_replace_and_are_replaced() {
    let ground = Ground::new();
    let fifo = Head {
        name: b"p",
        kind: b'6',
        ..Head::default()
    };
    let tar = Tar::default()
        .symlink("p", &ground.outside())
        .head(&fifo)
        .hard_link("q", "p")
        .file("q", b"file")
        .end();
    ground.unpack(&tar).unwrap();
    let meta = |name: &str| ground.root().join(name).symlink_metadata().unwrap();
    assert!(meta("p").file_type().is_fifo());
    assert!(meta("q").is_file());
    // A socket has no type in tar; other types are of no known meaning.
    for kind in *b"sDMNXZ" {
        let odd = Head {
            kind,
            ..Head::default()
        };
        let message = refused(Tar::default().head(&odd));
        assert!(message.contains("is unknown"), "{message}");
    }
}

#[test]
fn owners_and_modes_out_of_range_are_refused() {
    for (at, field) in [(100, "mode"), (108, "uid"), (116, "gid")] {
        let negative = Tar::default().patched(&Head::default(), &[(at, &[0xff; 8])]);
        let message = refused(negative);
        assert!(
            message.contains(&format!("{field} is not a number")),
            "{message}"
        );
        let text = Tar::default().patched(&Head::default(), &[(at, b"-000001\0")]);
        refused(text);
    }
    for id in [1 << 32, u64::from(u32::MAX), 1 << 40] {
        for head in [
            Head {
                uid: id,
                ..Head::default()
            },
            Head {
                gid: id,
                ..Head::default()
            },
        ] {
            let message = refused(Tar::default().head(&head));
            assert!(message.contains("out of range"), "{message}");
        }
        let id = id.to_string();
        for key in ["uid", "gid"] {
            refused(Tar::default().pax(&[(key, id.as_bytes())]).file("f", b""));
        }
    }
    let wild = Tar::default().patched(&Head::default(), &[(136, &[0xc0; 12])]);
    assert!(refused(wild).contains("mtime is not a time"));
}
