//! Layers that want more than they are worth: each stops at a limit, and the message names it.

use std::fs;
use std::io::{self, Read};
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Ground, descriptor};
use crate::digest::sha256;
use crate::error::ContentError;
use crate::fixture::{Head, Tar, gzip};
use crate::layer_limit::LayerLimit;
use crate::limits::Limits;

/// Expects that a layer goes over one limit, which the message names.
#[track_caller]
fn over(tar: &[u8], limits: &Limits, limit: LayerLimit) -> String {
    let ground = Ground::new();
    let error = ground
        .unpack_blob(&gzip(tar), &sha256(tar), limits)
        .unwrap_err();
    let ContentError::LayerLimit { limit: found, .. } = &error else {
        panic!("{error:?}")
    };
    assert_eq!(*found, limit, "{error}");
    let message = error.to_string();
    assert!(message.starts_with("layer: "), "{message}");
    assert!(message.contains(limit.subject()), "{message}");
    message
}

#[test]
fn entries_are_counted() {
    let tar = (0..11).fold(Tar::default(), |tar, n| {
        tar.pax(&[("mtime", b"1")]).file(&n.to_string(), b"")
    });
    let limit = |entries| Limits {
        entries,
        ..Limits::default()
    };
    over(&tar.clone().end(), &limit(10), LayerLimit::Entries);
    let tar = tar.end();
    let unpacked = Ground::new().unpack_blob(&tar, &sha256(&tar), &limit(11));
    assert_eq!(
        unpacked.unwrap().entries,
        11,
        "extended headers don't count"
    );
    // Headers that are for no member count, or there could be any number.
    let global = Head {
        kind: b'g',
        ..Head::default()
    };
    let globals = (0..11).fold(Tar::default(), |tar, _| tar.head(&global));
    over(&globals.end(), &limit(10), LayerLimit::Entries);
}

/// Ten million members, one after the other, as they are asked for.
struct Endless<'a> {
    next: u64,
    block: Vec<u8>,
    given: &'a AtomicU64,
}

impl Read for Endless<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.block.is_empty() {
            if self.next == 10_000_000 {
                return Ok(0);
            }
            let name = format!("d{}/f{}", self.next / 1000, self.next);
            self.block = Tar::default().file(&name, b"").open_end();
            self.next += 1;
            self.given.fetch_add(1, Ordering::Relaxed);
        }
        let length = self.block.len().min(buffer.len());
        buffer[..length].copy_from_slice(&self.block[..length]);
        self.block.drain(..length);
        Ok(length)
    }
}

#[test]
fn ten_million_entries_stop_at_the_limit() {
    let ground = Ground::new();
    let given = AtomicU64::new(0);
    let endless = Endless {
        next: 0,
        block: Vec::new(),
        given: &given,
    };
    let limits = Limits {
        entries: 5_000,
        ..Limits::default()
    };
    let mut descriptor = descriptor(b"");
    // Small enough for one thread: what is read ahead is one buffer.
    descriptor.size = 10_000_000 * 512;
    let error = ground
        .unpack_from(Box::new(endless), &descriptor, &sha256(b""), &limits)
        .unwrap_err();
    assert!(
        matches!(
            error,
            ContentError::LayerLimit {
                limit: LayerLimit::Entries,
                ..
            }
        ),
        "{error:?}"
    );
    // No more files than the limit, and a few buffers' worth of headers were read.
    assert!(given.into_inner() < 40_000);
    let files: usize = fs::read_dir(ground.root())
        .unwrap()
        .map(|folder| fs::read_dir(folder.unwrap().path()).unwrap().count())
        .sum();
    assert_eq!(files, 5_000);
}

#[test]
fn sizes_are_counted_with_their_holes() {
    let limits = Limits {
        expanded: 3 << 20,
        file: 2 << 20,
        ..Limits::default()
    };
    let large = Tar::default().file("f", &vec![0; (2 << 20) + 1]).end();
    let message = over(&large, &limits, LayerLimit::FileSize);
    assert!(message.contains("entry \"f\""), "{message}");
    let many = (0..4).fold(Tar::default(), |tar, n| {
        tar.file(&n.to_string(), &vec![0; 1 << 20])
    });
    // The stream that holds them is larger than they are together.
    over(&many.end(), &limits, LayerLimit::Size);
    let sparse = |size: &'static str| {
        let size = ("GNU.sparse.size", size.as_bytes());
        Tar::default()
            .pax(&[("GNU.sparse.map", b""), size])
            .file("holes", b"")
    };
    let message = over(&sparse("99999999999").end(), &limits, LayerLimit::FileSize);
    assert!(message.contains("entry \"holes\""), "{message}");
    let twice = [sparse("2000000").open_end(), sparse("2000000").end()].concat();
    over(&twice, &limits, LayerLimit::Size);
    // Sizes that don't fit into any number together.
    let most = [
        sparse("18446744073709551615").open_end(),
        sparse("18446744073709551615").end(),
    ]
    .concat();
    let unbounded = Limits {
        file: u64::MAX,
        ..Limits::default()
    };
    over(&most, &unbounded, LayerLimit::Size);
}

#[test]
fn what_is_just_as_large_as_a_limit_is_taken() {
    let sparse = [
        ("GNU.sparse.map", &b""[..]),
        ("GNU.sparse.size", b"2000000"),
    ];
    type Set = fn(&mut Limits, u64);
    let cases: [(Tar, u64, LayerLimit, Set); 5] = [
        (
            Tar::default().file("f", &[0; 3000]),
            3000,
            LayerLimit::FileSize,
            |limits, value| limits.file = value,
        ),
        (
            Tar::default().pax(&sparse).file("holes", b""),
            2_000_000,
            LayerLimit::Size,
            |limits, value| limits.expanded = value,
        ),
        (
            Tar::default()
                .pax(&[("SCHILY.xattr.user.a", b"1234")])
                .file("f", b""),
            10,
            LayerLimit::XattrSize,
            |limits, value| limits.xattrs = value,
        ),
        (
            Tar::default().folder("a/b/c"),
            3,
            LayerLimit::Depth,
            |limits, value| limits.depth = value as usize,
        ),
        (
            Tar::default().file("a/b/c.d", b""),
            7,
            LayerLimit::PathLength,
            |limits, value| limits.path = value as usize,
        ),
    ];
    for (tar, most, limit, set) in cases {
        let tar = tar.end();
        let mut limits = Limits::default();
        set(&mut limits, most);
        let unpacked = Ground::new().unpack_blob(&gzip(&tar), &sha256(&tar), &limits);
        assert!(unpacked.is_ok(), "{limit:?}: {unpacked:?}");
        set(&mut limits, most - 1);
        over(&tar, &limits, limit);
    }
}

#[test]
fn padding_behind_the_end_counts() {
    let limits = Limits {
        expanded: 1 << 20,
        ..Limits::default()
    };
    let padded = [Tar::default().end(), vec![0; 4 << 20]].concat();
    over(&padded, &limits, LayerLimit::Size);
}

#[test]
fn deep_and_long_paths_are_too_much() {
    let deep = "d/".repeat(40);
    let limits = Limits {
        depth: 30,
        ..Limits::default()
    };
    let message = over(
        &Tar::default().folder(&deep).end(),
        &limits,
        LayerLimit::Depth,
    );
    assert!(message.contains("entry \"d/d/"), "{message}");
    let limits = Limits {
        path: 50,
        ..Limits::default()
    };
    let long = "n".repeat(51);
    over(
        &Tar::default().file(&long, b"").end(),
        &limits,
        LayerLimit::PathLength,
    );
    let link = Tar::default().hard_link("h", &long).end();
    over(&link, &limits, LayerLimit::PathLength);
    // By default, no more than the kernel takes.
    let longest = "n/".repeat(200) + &"x".repeat(200);
    let path = [longest.as_str(); 11].join("/");
    let tar = Tar::default()
        .pax(&[("path", path.as_bytes())])
        .file("f", b"");
    let limits = Limits {
        depth: 100_000,
        ..Limits::default()
    };
    over(&tar.clone().end(), &limits, LayerLimit::PathLength);
    let limits = Limits {
        depth: 100_000,
        path: 100_000,
        ..Limits::default()
    };
    let tar = tar.end();
    let error = Ground::new().unpack_blob(&tar, &sha256(&tar), &limits);
    let error = error.unwrap_err().to_string();
    assert!(error.contains("longer than 4095 bytes"), "{error}");
}

#[test]
fn extended_headers_are_bounded() {
    for (kind, what) in [
        (b'L', "a long name"),
        (b'K', "a long name"),
        (b'x', "a PAX header"),
        (b'g', "a PAX header"),
    ] {
        let head = Head {
            kind,
            size: Some(1 << 30),
            ..Head::default()
        };
        let tar = Tar::default().file("before", b"").head(&head).end();
        let error = Ground::new().unpack(&tar).unwrap_err().to_string();
        assert!(
            error.contains(what) && error.contains("1073741824 bytes"),
            "{error}"
        );
        assert!(error.contains("\"before\""), "{error}");
    }
    // A record that says it is longer than the header.
    let tar = Tar::default().head(&Head {
        kind: b'x',
        data: b"1073741824 SCHILY.xattr.user.a=x\n",
        ..Head::default()
    });
    let error = Ground::new().unpack(&tar.file("f", b"").end()).unwrap_err();
    assert!(
        matches!(error, ContentError::CorruptLayer { .. }),
        "{error:?}"
    );
}

#[test]
fn extended_attributes_are_bounded() {
    let many: Vec<(String, Vec<u8>)> = (0..20)
        .map(|n| (format!("SCHILY.xattr.user.{n}"), vec![b'x'; 8 << 10]))
        .collect();
    let records: Vec<(&str, &[u8])> = many.iter().map(|(k, v)| (k.as_str(), &v[..])).collect();
    let tar = Tar::default().pax(&records).file("f", b"").end();
    let message = over(&tar, &Limits::default(), LayerLimit::XattrSize);
    assert!(message.contains("entry \"f\""), "{message}");
    // Very many very small ones take no more time than their number.
    let many: Vec<String> = (0..9_000)
        .map(|n| format!("SCHILY.xattr.user.{n}"))
        .collect();
    let records: Vec<(&str, &[u8])> = many.iter().map(|key| (key.as_str(), &b""[..])).collect();
    let tar = Tar::default().pax(&records).file("f", b"").end();
    let error = Ground::new().unpack(&tar).unwrap_err().to_string();
    assert!(error.contains("attributes are too large"), "{error}");
}

#[test]
fn maps_of_sparse_files_are_bounded() {
    let records: [(&str, &[u8]); 4] = [
        ("GNU.sparse.major", b"1"),
        ("GNU.sparse.minor", b"0"),
        ("GNU.sparse.name", b"f"),
        ("GNU.sparse.realsize", b"1000"),
    ];
    let data = b"99999999999\n".repeat(50);
    let tar = Tar::default().pax(&records).file("f", &data).end();
    let error = Ground::new().unpack(&tar).unwrap_err().to_string();
    assert!(error.contains("too many segments"), "{error}");
}
