//! An unpacked layer has everything that the archive says.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};

use super::Ground;
use crate::fixture::{Head, Tar};

#[test]
fn modes_owners_and_times() {
    let ground = Ground::new();
    let tar = Tar::default()
        .head(&Head {
            name: b"./",
            kind: b'5',
            mode: 0o751,
            mtime: 7,
            ..Head::default()
        })
        .head(&Head {
            name: b"d",
            kind: b'5',
            mode: 0o1777,
            mtime: 8,
            ..Head::default()
        })
        .pax(&[
            ("mtime", b"1234567890.123456789"),
            ("uid", b"70000"),
            ("gid", b"3000000000"),
        ])
        .head(&Head {
            name: b"d/su",
            mode: 0o6755,
            data: b"x",
            ..Head::default()
        })
        .pax(&[("mtime", b"-5.5")])
        .head(&Head {
            name: b"d/l",
            kind: b'2',
            link: b"../x",
            uid: 5,
            gid: 6,
            ..Head::default()
        })
        .head(&Head {
            name: b"p",
            kind: b'6',
            mode: 0o622,
            uid: 1,
            gid: 2,
            ..Head::default()
        });
    ground.unpack(&tar.end()).unwrap();
    let meta = |name: &str| ground.root().join(name).symlink_metadata().unwrap();
    let root = meta("");
    assert_eq!((root.mode() & 0o7777, root.mtime()), (0o751, 7));
    let folder = meta("d");
    assert_eq!((folder.mode() & 0o7777, folder.mtime()), (0o1777, 8));
    let file = meta("d/su");
    assert_eq!(
        (file.mode() & 0o7777, file.uid(), file.gid()),
        (0o6755, 70_000, 3_000_000_000)
    );
    assert_eq!(
        (file.mtime(), file.mtime_nsec()),
        (1_234_567_890, 123_456_789)
    );
    let link = meta("d/l");
    assert_eq!(
        (link.uid(), link.gid(), link.mtime(), link.mtime_nsec()),
        (5, 6, -6, 500_000_000)
    );
    let fifo = meta("p");
    assert!(fifo.file_type().is_fifo());
    assert_eq!(
        (fifo.mode() & 0o7777, fifo.uid(), fifo.gid()),
        (0o622, 1, 2)
    );
    assert_eq!(fifo.mtime(), 1_000_000);
}

#[test]
fn hard_links_share_an_inode() {
    let ground = Ground::new();
    let tar = Tar::default()
        .file("d/a", b"x")
        .hard_link("b", "d/a")
        .hard_link("./c", "/d/a");
    ground.unpack(&tar.end()).unwrap();
    let ino = |name: &str| ground.root().join(name).metadata().unwrap().ino();
    assert_eq!((ino("b"), ino("c")), (ino("d/a"), ino("d/a")));
}

#[test]
fn capabilities_survive_the_owner() {
    let ground = Ground::new();
    // VFS_CAP_REVISION_2, cap_net_bind_service=ep.
    let capability = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let tar = Tar::default()
        .pax(&[("SCHILY.xattr.security.capability", &capability)])
        .head(&Head {
            name: b"ping",
            mode: 0o755,
            uid: 3,
            gid: 3,
            data: b"x",
            ..Head::default()
        });
    ground.unpack(&tar.end()).unwrap();
    let mut value = [0_u8; 64];
    let path = ground.root().join("ping");
    let length = rustix::fs::getxattr(&path, "security.capability", &mut value[..]).unwrap();
    assert_eq!(value[..length], capability);
}

#[test]
fn long_names_of_gnu_and_pax() {
    let ground = Ground::new();
    let long = format!("{}/{}", "d".repeat(200), "f".repeat(250));
    let target = "t".repeat(300);
    let gnu = |tar: Tar, kind, data: &str| {
        let data = [data.as_bytes(), b"\0"].concat();
        tar.head(&Head {
            name: b"././@LongLink",
            kind,
            data: &data,
            ..Head::default()
        })
    };
    let tar = gnu(Tar::default(), b'L', &long).file("cut", b"gnu");
    let tar = gnu(gnu(tar, b'L', &format!("{long}l")[1..]), b'K', &target).symlink("cut", "cut");
    let pax = format!("{}/pax", "d".repeat(200));
    let tar = tar.pax(&[("path", pax.as_bytes())]).file("cut", b"pax");
    let tar = tar
        .pax(&[("path", b"s"), ("linkpath", target.as_bytes())])
        .symlink("c", "c");
    ground.unpack(&tar.end()).unwrap();
    assert_eq!(fs::read(ground.root().join(&long)).unwrap(), b"gnu");
    assert_eq!(fs::read(ground.root().join(&pax)).unwrap(), b"pax");
    let link = fs::read_link(ground.root().join(&format!("{long}l")[1..])).unwrap();
    assert_eq!(link.to_str(), Some(&*target));
    assert_eq!(
        fs::read_link(ground.root().join("s")).unwrap().to_str(),
        Some(&*target)
    );
}

#[test]
fn what_gnu_tar_writes() {
    // GNU's own tar is the judge: sparse files in all of its formats, names, links and times.
    let source = tempfile::tempdir().unwrap();
    let at = |name: &str| source.path().join(name);
    let long = "n".repeat(180);
    fs::create_dir(at("d")).unwrap();
    fs::write(at("d").join(&long), "long").unwrap();
    std::os::unix::fs::symlink("d", at("link")).unwrap();
    fs::write(at("one"), "1").unwrap();
    fs::hard_link(at("one"), at("two")).unwrap();
    let sparse = fs::File::create(at("sparse")).unwrap();
    sparse.set_len(4 << 20).unwrap();
    for n in 0..60_u64 {
        std::os::unix::fs::FileExt::write_all_at(&sparse, &[b'a'; 4096], n << 16).unwrap();
    }
    for format in [
        &["--format=gnu", "--sparse"][..],
        &["--format=posix", "--sparse"],
        &["--format=posix", "--sparse", "--sparse-version=0.0"],
        &["--format=posix", "--sparse", "--sparse-version=0.1"],
        &["--format=posix"],
        &["--format=gnu"],
    ] {
        let tar = std::process::Command::new("tar")
            .args(format)
            .arg("-C")
            .arg(source.path())
            .args(["-cf", "-", "."])
            .output()
            .unwrap();
        assert!(tar.status.success());
        let ground = Ground::new();
        ground
            .unpack(&tar.stdout)
            .unwrap_or_else(|error| panic!("{format:?}: {error}"));
        assert_eq!(
            ground.tree(),
            crate::fixture::tree(source.path()),
            "{format:?}"
        );
        let unpacked = ground.root().join("sparse");
        assert_eq!(
            fs::read(&unpacked).unwrap(),
            fs::read(at("sparse")).unwrap(),
            "{format:?}"
        );
        if format.contains(&"--sparse") {
            assert!(
                unpacked.metadata().unwrap().blocks() < 2048,
                "holes are filled: {format:?}"
            );
        }
        let ino = |name: &str| ground.root().join(name).metadata().unwrap().ino();
        assert_eq!(ino("one"), ino("two"));
        let mtime = |root: &std::path::Path| root.join("d").metadata().unwrap().mtime();
        assert_eq!(mtime(&ground.root()), mtime(source.path()));
    }
}

#[test]
fn folders_keep_their_time_however_they_are_filled() {
    // More directories than are kept open, filled in turns, before and after they are told of.
    let ground = Ground::new();
    let folder = |tar: Tar, name: &str| {
        tar.pax(&[("mtime", b"1234.000000005")]).head(&Head {
            name: name.as_bytes(),
            kind: b'5',
            mode: 0o755,
            ..Head::default()
        })
    };
    let mut tar = folder(Tar::default(), "./");
    for n in 0..100 {
        tar = tar.file(&format!("late{n}/deep/file"), b"");
        tar = folder(tar, &format!("early{n}"));
    }
    for n in 0..100 {
        tar = tar.file(&format!("early{n}/file"), b"");
        tar = folder(tar, &format!("late{n}"));
        tar = folder(tar, &format!("late{n}/deep"));
        tar = tar.file(&format!("late{n}/file"), b"");
    }
    // A directory that went, and one that came again.
    tar = tar.file("early0", b"").file("late0/.wh.deep", b"");
    tar = folder(tar.file("early1", b""), "early1").file("early1/x", b"");
    ground.unpack(&tar.end()).unwrap();
    let mtime = |name: &str| {
        let meta = ground.root().join(name).symlink_metadata().unwrap();
        (meta.mtime(), meta.mtime_nsec())
    };
    assert_eq!(mtime(""), (1234, 5));
    for n in 1..100 {
        assert_eq!(mtime(&format!("early{n}")), (1234, 5), "early{n}");
        assert_eq!(mtime(&format!("late{n}")), (1234, 5), "late{n}");
        assert_eq!(mtime(&format!("late{n}/deep")), (1234, 5), "late{n}/deep");
    }
    assert_eq!(mtime("early0"), (1_000_000, 0), "a file");
}

#[test]
fn times_before_1970_in_headers_and_records() {
    let ground = Ground::new();
    // -512 in GNU's form of numbers that octal digits can't say.
    let before = [&[0xff; 10][..], &[0xfe, 0x00]].concat();
    fn head(name: &[u8], kind: u8) -> Head<'_> {
        Head {
            name,
            kind,
            link: if kind == b'2' { b"x" } else { b"" },
            mode: 0o755,
            ..Head::default()
        }
    }
    let mut tar = Tar::default();
    for (name, kind) in [(&b"f"[..], b'0'), (b"d", b'5'), (b"s", b'2'), (b"p", b'6')] {
        tar = tar.patched(&head(name, kind), &[(136, &before)]);
        let name = [name, b"2"].concat();
        tar = tar
            .pax(&[("mtime", b"-0.000000001")])
            .head(&head(&name, kind));
    }
    ground.unpack(&tar.end()).unwrap();
    for name in ["f", "d", "s", "p"] {
        let meta = ground.root().join(name).symlink_metadata().unwrap();
        assert_eq!((meta.mtime(), meta.mtime_nsec()), (-512, 0), "{name}");
        let name = format!("{name}2");
        let meta = ground.root().join(&name).symlink_metadata().unwrap();
        assert_eq!(
            (meta.mtime(), meta.mtime_nsec()),
            (-1, 999_999_999),
            "{name}"
        );
    }
}

#[test]
fn owners_of_any_size() {
    let ground = Ground::new();
    let mut tar = Tar::default();
    // Six octal digits, seven, and GNU's base 256 above.
    let ids = [
        1,
        0o777_777,
        65_536,
        0o7_777_777,
        1 << 21,
        3_000_000_000,
        0xffff_fffe,
    ];
    for id in ids {
        let name = id.to_string();
        for (kind, prefix) in [(b'0', "f"), (b'5', "d"), (b'2', "s"), (b'6', "p")] {
            tar = tar.head(&Head {
                name: format!("{prefix}{name}").as_bytes(),
                kind,
                link: if kind == b'2' { b"x" } else { b"" },
                mode: 0o6755,
                uid: id,
                gid: id - 1,
                ..Head::default()
            });
        }
    }
    ground.unpack(&tar.end()).unwrap();
    for id in ids {
        for prefix in ["f", "d", "s", "p"] {
            let path = ground.root().join(format!("{prefix}{id}"));
            let meta = path.symlink_metadata().unwrap();
            let owner = (u64::from(meta.uid()), u64::from(meta.gid()));
            assert_eq!(owner, (id, id - 1), "{prefix}{id}");
            // A change of the owner would have cleared these bits.
            if prefix != "s" {
                assert_eq!(meta.mode() & 0o7777, 0o6755, "{prefix}{id}");
            }
        }
    }
}

#[test]
fn files_of_more_than_eight_gibibytes() {
    // GNU's tar writes such sizes in base 256, and pax in a record; most of it is a hole.
    let source = tempfile::tempdir().unwrap();
    let size: u64 = (9 << 30) + 12_345;
    let file = fs::File::create(source.path().join("huge")).unwrap();
    file.set_len(size).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, b"end", size - 3).unwrap();
    for format in ["--format=gnu", "--format=posix"] {
        let tar = std::process::Command::new("tar")
            .args([format, "--sparse", "-C"])
            .arg(source.path())
            .args(["-cf", "-", "."])
            .output()
            .unwrap();
        assert!(tar.status.success());
        let ground = Ground::new();
        let unpacked = ground.unpack(&tar.stdout).unwrap();
        assert_eq!(unpacked.bytes, size, "{format}");
        let file = fs::File::open(ground.root().join("huge")).unwrap();
        assert_eq!(file.metadata().unwrap().len(), size, "{format}");
        assert!(file.metadata().unwrap().blocks() < 64, "{format}");
        let mut end = [0; 4];
        std::os::unix::fs::FileExt::read_exact_at(&file, &mut end, size - 4).unwrap();
        assert_eq!(&end, b"\0end", "{format}");
    }
    // The same size in a header of a member that is stored whole: the stream ends too early.
    let head = Head {
        name: b"huge",
        size: Some(size),
        ..Head::default()
    };
    let cut = Tar::default().head(&head).raw(&[b'x'; 4096]).open_end();
    let error = Ground::new().unpack(&cut).unwrap_err().to_string();
    assert!(
        error.contains("\"huge\": it ends within a member"),
        "{error}"
    );
}

#[test]
fn attributes_of_files_and_folders() {
    let ground = Ground::new();
    let value: Vec<u8> = (0..=255).collect();
    let records: [(&str, &[u8]); 3] = [
        ("SCHILY.xattr.user.binary", &value),
        ("SCHILY.xattr.user.empty", b""),
        ("SCHILY.xattr.user.a=b", b"key with an equals sign"),
    ];
    // Owned by another and read-only: attributes come after both.
    let head = |name, kind| Head {
        name,
        kind,
        mode: 0o444,
        uid: 9,
        ..Head::default()
    };
    let tar = Tar::default()
        .pax(&records[..2])
        .head(&head(b"f", b'0'))
        .pax(&records[..2])
        .head(&head(b"d", b'5'))
        .pax(&records)
        .symlink("s", "f");
    ground.unpack(&tar.end()).unwrap();
    for name in ["f", "d"] {
        let path = ground.root().join(name);
        let mut found = [0; 512];
        let length = rustix::fs::getxattr(&path, "user.binary", &mut found[..]).unwrap();
        assert_eq!(&found[..length], value, "{name}");
        let length = rustix::fs::getxattr(&path, "user.empty", &mut found[..]).unwrap();
        assert_eq!(length, 0, "{name}");
    }
}
