use image_layer::ContentError;

use super::*;

fn archive(build: impl FnOnce(&mut tar::Builder<Vec<u8>>)) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    build(&mut builder);
    builder.into_inner().unwrap()
}

fn header(kind: tar::EntryType, size: u64) -> tar::Header {
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(0o644);
    header
}

fn add(builder: &mut tar::Builder<Vec<u8>>, name: &str, bytes: &[u8]) {
    let mut header = header(tar::EntryType::Regular, bytes.len() as u64);
    builder.append_data(&mut header, name, bytes).unwrap();
}

fn open(bytes: &[u8]) -> Result<TarIndex, StoreError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.tar");
    std::fs::write(&path, bytes).unwrap();
    TarIndex::open(&path, &Unpacking::none())
}

fn content(index: &TarIndex, name: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    index
        .section(name)
        .unwrap()?
        .read_to_end(&mut bytes)
        .unwrap();
    Some(bytes)
}

fn pax(builder: &mut tar::Builder<Vec<u8>>, kind: u8, records: &[u8]) {
    let mut header = header(tar::EntryType::new(kind), records.len() as u64);
    builder.append_data(&mut header, "pax", records).unwrap();
}

#[test]
fn files_are_read_in_place() {
    let long = format!("{}/file", "d".repeat(200));
    let index = open(&archive(|tar| {
        add(tar, "./a", b"first");
        add(tar, &long, b"second");
        add(tar, "empty", b"");
        tar.append_link(&mut header(tar::EntryType::Symlink, 0), "x/link", "../a")
            .unwrap();
        tar.append_link(&mut header(tar::EntryType::Symlink, 0), "y/from-root", "a")
            .unwrap();
        tar.append_link(&mut header(tar::EntryType::Link, 0), "hard", &long)
            .unwrap();
        tar.append_link(&mut header(tar::EntryType::Symlink, 0), "loop", "loop")
            .unwrap();
        tar.append_link(
            &mut header(tar::EntryType::Symlink, 0),
            "out",
            "../../etc/passwd",
        )
        .unwrap();
    }))
    .unwrap();
    assert_eq!(content(&index, "a").unwrap(), b"first");
    assert_eq!(content(&index, &long).unwrap(), b"second");
    assert_eq!(content(&index, "empty").unwrap(), b"");
    assert_eq!(content(&index, "x/link").unwrap(), b"first");
    assert_eq!(content(&index, "y/from-root").unwrap(), b"first");
    assert_eq!(content(&index, "hard").unwrap(), b"second");
    assert_eq!(content(&index, "out"), None);
    let error = index.section("loop").err().unwrap().to_string();
    assert!(error.contains("too many links in a row"), "{error}");
    let mut section = index.section("a").unwrap().unwrap();
    assert_eq!(section.seek(SeekFrom::End(-2)).unwrap(), 3);
    let mut rest = String::new();
    section.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "st");
    let error = section.seek(SeekFrom::Current(-9)).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput, "{error}");
}

#[test]
fn pax_names_and_sizes_count() {
    let index = open(&archive(|tar| {
        pax(tar, b'x', b"12 path=pax\n10 size=5\n");
        // The size in the header is a lie that the record corrects.
        let mut lie = header(tar::EntryType::Regular, 0);
        lie.set_path("lie").unwrap();
        lie.set_cksum();
        tar.append(&lie, &b""[..]).unwrap();
        let data = b"12345".iter().copied().chain(std::iter::repeat_n(0, 507));
        std::io::Write::write_all(tar.get_mut(), &data.collect::<Vec<u8>>()).unwrap();
        add(tar, "after", b"x");
    }))
    .unwrap();
    assert_eq!(content(&index, "pax").unwrap(), b"12345");
    assert_eq!(content(&index, "after").unwrap(), b"x");
    assert_eq!(content(&index, "lie"), None);
}

#[test]
fn what_parsers_read_differently_is_refused() {
    let with_size = |kind| {
        archive(|tar| {
            let mut header = header(kind, 3);
            header.set_path("x").unwrap();
            header.set_cksum();
            tar.append(&header, &b"abc"[..]).unwrap();
        })
    };
    for (name, bytes) in [
        (
            "duplicate",
            archive(|tar| ["a", "./a"].iter().for_each(|name| add(tar, name, b"x"))),
        ),
        ("sized directory", with_size(tar::EntryType::Directory)),
        ("sized symlink", with_size(tar::EntryType::Symlink)),
        ("unknown type", with_size(tar::EntryType::new(b'Z'))),
        ("sparse", with_size(tar::EntryType::GNUSparse)),
        ("global size", archive(|tar| pax(tar, b'g', b"10 size=5\n"))),
        ("bad record", archive(|tar| pax(tar, b'x', b"99 size=5\n"))),
        ("bad size", archive(|tar| pax(tar, b'x', b"11 size=+5\n"))),
        (
            "huge size",
            archive(|tar| {
                pax(tar, b'x', b"29 size=18446744073709551615\n");
                add(tar, "a", b"");
            }),
        ),
        (
            "huge extension",
            archive(|tar| pax(tar, b'x', &vec![b'x'; 70_000])),
        ),
        (
            "two extensions",
            archive(|tar| {
                pax(tar, b'x', b"12 path=pax\n");
                pax(tar, b'x', b"12 path=two\n");
                add(tar, "a", b"");
            }),
        ),
        (
            "extension of nothing",
            archive(|tar| pax(tar, b'x', b"12 path=pax\n")),
        ),
        (
            "a way out",
            archive(|tar| {
                let mut out = header(tar::EntryType::Regular, 0);
                out.as_old_mut().name[..4].copy_from_slice(b"../a");
                out.set_cksum();
                tar.append(&out, &b""[..]).unwrap();
            }),
        ),
        ("empty", archive(|_| ())),
        ("text", b"no tar at all, but text".repeat(100)),
    ] {
        let error = open(&bytes).err().unwrap();
        let is_told = matches!(error, StoreError::BrokenSource { .. });
        assert!(is_told, "{name}: {error:?}");
    }
}

/// What the walk through layers refuses is refused here too, and in words for an archive.
#[test]
fn archives_are_walked_as_layers_are() {
    let message = |bytes: &[u8]| open(bytes).err().unwrap().to_string();
    let twice = archive(|tar| {
        pax(tar, b'x', b"12 path=pax\n");
        pax(tar, b'x', b"12 path=two\n");
        add(tar, "a", b"");
    });
    let message_of_twice = message(&twice);
    assert!(
        message_of_twice.contains("two extended headers describe one member"),
        "{message_of_twice}"
    );
    let many = |count: usize| {
        archive(|tar| {
            for number in 0..count {
                let mut folder = header(tar::EntryType::Directory, 0);
                tar.append_data(&mut folder, format!("{number}/"), &b""[..])
                    .unwrap();
            }
        })
    };
    assert!(open(&many(100_000)).is_ok());
    let over = message(&many(100_001));
    assert!(over.contains("100000 entries"), "{over}");
}

#[test]
fn truncated_archives_say_so() {
    let whole = archive(|tar| add(tar, "a", &[7; 5000]));
    for length in [600, 3000] {
        let error = open(&whole[..length]).err().unwrap();
        assert!(
            matches!(error, StoreError::Content(ContentError::Truncated { .. })),
            "{length}: {error}"
        );
    }
    let message = open(&whole[..100]).err().unwrap().to_string();
    assert!(message.contains("ends within a header"), "{message}");
}

/// Whatever one flipped byte does, it is an error or another archive, never a panic.
#[test]
fn no_damage_makes_it_panic() {
    let whole = archive(|tar| {
        pax(tar, b'x', b"12 path=pax\n");
        add(tar, "a", b"first");
        tar.append_link(&mut header(tar::EntryType::Symlink, 0), "b", "a")
            .unwrap();
    });
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.tar");
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x81;
        std::fs::write(&path, &damaged).unwrap();
        if let Ok(index) = TarIndex::open(&path, &Unpacking::none()) {
            for name in ["pax", "a", "b"] {
                let _ = index
                    .section(name)
                    .map(|section| section.map(|s| s.take(10).read(&mut [0; 8])));
            }
        }
    }
}
