//! Archives that two readers could take differently: one checks, the other runs.

use std::fs;

use super::{Ground, refused};
use crate::error::ContentError;
use crate::fixture::{Head, Tar};

#[test]
fn two_readers_can_not_disagree() {
    let corrupt = |tar: Vec<u8>| {
        let error = Ground::new().unpack(&tar).unwrap_err();
        assert!(
            matches!(
                error,
                ContentError::CorruptLayer { .. } | ContentError::UnsafeEntry { .. }
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
fn a_header_for_all_members_names_none() {
    let global = |data: &'static [u8]| {
        Tar::default()
            .head(&Head {
                name: b"pax_global_header",
                kind: b'g',
                data,
                ..Head::default()
            })
            .file("f", b"content")
            .end()
    };
    let ground = Ground::new();
    // What git archive writes.
    ground.unpack(&global(b"16 comment=1234\n")).unwrap();
    assert_eq!(fs::read(ground.root().join("f")).unwrap(), b"content");
    for records in [
        &b"8 size=\n"[..],
        b"9 size=0\n",
        b"10 path=x\n",
        b"13 linkpath=\n",
        b"21 GNU.sparse.name=x\n",
        b"19 GNU.sparse.map=\n",
        b"garbage",
    ] {
        let error = Ground::new().unpack(&global(records)).unwrap_err();
        assert!(
            matches!(error, ContentError::CorruptLayer { .. }),
            "{error:?}"
        );
    }
}

#[test]
fn one_member_has_one_name_and_one_size() {
    let gnu = |kind| Head {
        name: b"././@LongLink",
        kind,
        data: b"gnu",
        ..Head::default()
    };
    // Some readers take the one, some the other.
    for tar in [
        Tar::default()
            .head(&gnu(b'L'))
            .pax(&[("path", b"pax")])
            .file("f", b""),
        Tar::default()
            .pax(&[("path", b"pax")])
            .head(&gnu(b'L'))
            .file("f", b""),
        Tar::default()
            .head(&gnu(b'K'))
            .pax(&[("linkpath", b"pax")])
            .symlink("f", "x"),
    ] {
        let error = Ground::new().unpack(&tar.end()).unwrap_err().to_string();
        assert!(error.contains("two extended headers"), "{error}");
    }
    for records in [
        &[("GNU.sparse.name", &b"real"[..])][..],
        &[("GNU.sparse.realsize", b"5")],
    ] {
        let message = refused(Tar::default().pax(records).file("f", b""));
        assert!(message.contains("sparse and is not"), "{message}");
    }
    let sparse: [(&str, &[u8]); 2] = [("GNU.sparse.map", b""), ("GNU.sparse.size", b"0")];
    refused(Tar::default().pax(&sparse).symlink("f", "x"));
}

#[test]
fn a_size_without_data_is_no_size() {
    let size: [(&str, &[u8]); 1] = [("size", b"512")];
    let ground = Ground::new();
    let tar = Tar::default()
        .file("target", b"")
        .pax(&size)
        .folder("folder");
    let tar = tar.pax(&size).hard_link("link", "target");
    let tar = tar.pax(&size).symlink("symlink", "target");
    // What follows is read as what it is, by every reader.
    let extracted = ground.unpack(&tar.file("after", b"").end()).unwrap();
    assert_eq!(extracted.entries, 5);
    // A file by its kind that is a directory by its name has no data that readers agree on.
    let named = Tar::default().pax(&size).file("directory/", b"");
    assert!(refused(named).contains("directory by its name"));
}

#[test]
fn messages_say_where_in_the_archive() {
    let tar = Tar::default()
        .file("first", b"")
        .file("second", b"x")
        .raw(&[b'x'; 512]);
    let error = Ground::new().unpack(&tar.end()).unwrap_err().to_string();
    assert_eq!(
        error,
        "layer: corrupt tar archive: at or after \"second\": a header has a wrong checksum"
    );
}
