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
    sparse.set_len(64 << 20).unwrap();
    for n in 0..60_u64 {
        std::os::unix::fs::FileExt::write_all_at(&sparse, &[b'a'; 4096], n << 20).unwrap();
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
