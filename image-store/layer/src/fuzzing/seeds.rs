//! The seeds of the corpora: each is a form that a target has to know.
//!
//! `FAIRING_BLESS=1 cargo test -p fairing-image-layer fuzzing` writes them to `fuzz/corpus/`.

use crate::fixture::{Head, Tar, gzip, zstd};
use replay::Seed;

pub(super) fn of(target: &str) -> Vec<Seed> {
    match target {
        "layer" => layers(),
        "inflate" => streams(),
        "pax" => records(),
        "whiteout" => whiteouts(),
        other => panic!("{other} has no seeds"),
    }
}

fn layers() -> Vec<Seed> {
    let long = |kind, data: &'static [u8]| Head {
        name: b"././@LongLink",
        kind,
        data,
        ..Head::default()
    };
    let special = |kind, name: &'static [u8]| Head {
        name,
        kind,
        mode: 0o4755,
        uid: 3_000_000,
        ..Head::default()
    };
    let plain = Tar::default()
        .folder("./")
        .folder("d")
        .file("d/f", b"content")
        .symlink("d/l", "../x")
        .hard_link("h", "d/f");
    let gnu = Tar::default()
        .head(&long(b'L', b"long/name\0"))
        .head(&long(b'K', b"long/target\0"))
        .symlink("cut", "cut");
    let pax = Tar::default()
        .pax(&[
            ("path", b"pax/name"),
            ("size", b"5"),
            ("uid", b"70000"),
            ("gid", b"3000000000"),
            ("mtime", b"-1.5"),
            ("SCHILY.xattr.user.a", b"value"),
            ("SCHILY.xattr.security.capability", b"\x01\0\0\x02"),
        ])
        .file("cut", b"12345");
    let records = |map: &'static [u8]| {
        let records: [(&str, &[u8]); 3] = [
            ("GNU.sparse.name", b"holes"),
            ("GNU.sparse.size", b"4096"),
            ("GNU.sparse.map", map),
        ];
        Tar::default().pax(&records).file("cut", b"abcdef")
    };
    let pairs = Tar::default()
        .pax(&[
            ("GNU.sparse.size", b"4096"),
            ("GNU.sparse.numblocks", b"2"),
            ("GNU.sparse.offset", b"0"),
            ("GNU.sparse.numbytes", b"3"),
            ("GNU.sparse.offset", b"512"),
            ("GNU.sparse.numbytes", b"3"),
        ])
        .file("holes", b"abcdef");
    let mut in_data = b"2\n0\n3\n512\n3\n".to_vec();
    in_data.resize(512, 0);
    in_data.extend_from_slice(b"abcdef");
    let in_data = Tar::default()
        .pax(&[
            ("GNU.sparse.major", b"1"),
            ("GNU.sparse.minor", b"0"),
            ("GNU.sparse.name", b"holes"),
            ("GNU.sparse.realsize", b"4096"),
        ])
        .file("cut", &in_data);
    // A map of GNU's old form that goes on in a block of its own.
    let mut more = b"00000001000\x0000000000003\0".to_vec();
    more.resize(512, 0);
    let old = Head {
        name: b"holes",
        kind: b'S',
        size: Some(6),
        ..Head::default()
    };
    let old = Tar::default().patched(
        &old,
        &[
            (257, b"ustar  \0"),
            (386, b"00000000000\x0000000000003\0"),
            (482, b"\x01"),
            (483, b"00000010000\0"),
        ],
    );
    let old = old.raw(&more).raw(b"abcdef").raw(&[0; 506]);
    let odd = Tar::default()
        .head(&Head {
            kind: b'g',
            data: b"16 comment=1234\n",
            ..Head::default()
        })
        .patched(
            &special(b'3', b"null"),
            &[(329, b"0000001\0"), (337, b"0000003\0")],
        )
        .head(&special(b'6', b"fifo"))
        .patched(&special(b'0', b"times"), &[(136, &[0xff; 12])])
        .file(".wh.gone", b"")
        .file("d/.wh..wh..opq", b"");
    vec![
        ("plain", plain.end()),
        ("gnu-names", gnu.end()),
        ("pax", pax.end()),
        ("sparse-old", old.end()),
        ("sparse-0.0", pairs.end()),
        ("sparse-0.1", records(b"0,3,512,3").end()),
        ("sparse-1.0", in_data.end()),
        ("odd-kinds", odd.end()),
    ]
}

fn streams() -> Vec<Seed> {
    let tar = Tar::default().file("f", b"content").end();
    let (head, tail) = tar.split_at(700);
    let skippable = [0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3];
    vec![
        ("tar", tar.clone()),
        ("gzip", gzip(&tar)),
        ("gzip-members", [gzip(head), gzip(tail)].concat()),
        ("zstd", zstd(&tar)),
        (
            "zstd-frames",
            [&zstd(head)[..], &skippable, &zstd(tail)].concat(),
        ),
        ("zeros", gzip(&[0; 1 << 20])),
        ("xz", b"\xfd7zXZ\0\0\x04".to_vec()),
    ]
}

fn records() -> Vec<Seed> {
    vec![
        ("names", b"12 path=a/b\n15 linkpath=c\n".to_vec()),
        (
            "numbers",
            b"9 size=5\n13 uid=70000\n20 mtime=-12.000001\n".to_vec(),
        ),
        ("xattr", b"28 SCHILY.xattr.user.a=\x00\xff=\n\n".to_vec()),
        (
            "sparse",
            b"26 GNU.sparse.map=0,1,5,2\n22 GNU.sparse.major=1\n".to_vec(),
        ),
    ]
}

fn whiteouts() -> Vec<Seed> {
    vec![
        ("file", b"\x03d/.wh.gone".to_vec()),
        ("opaque", b"\x03d/.wh..wh..opq".to_vec()),
        ("aufs", b"\x00.wh..wh.plnk/1.2".to_vec()),
        ("nothing", b"\x03.wh.".to_vec()),
        ("above", b"\x02.wh.d/file".to_vec()),
        ("plain", b"\x03/usr//./lib/x/".to_vec()),
    ]
}
