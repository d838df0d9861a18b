//! Each kind of file, and the edges of the format.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;

use image_erofs::{Attributes, ErofsError, Mtime, Special, Writer};
use rustix::fs::{
    AtFlags, CWD, FileType, Mode, Timespec, Timestamps, XattrFlags, lsetxattr, makedev, mknodat,
    utimensat,
};

use crate::mounted::Mounted;
use crate::tree::{all_facts, bytes, facts, mounted};

const BLOCK: usize = 4096;

/// An access control list: the owner may all, user 7 may read, the group and others nothing.
const ACL: &[u8] = b"\x02\0\0\0\x01\0\x07\0\xff\xff\xff\xff\x02\0\x04\0\x07\0\0\0\x04\0\0\0\xff\xff\xff\xff\x10\0\x04\0\xff\xff\xff\xff\x20\0\0\0\xff\xff\xff\xff";

fn set_xattr(path: &Path, name: &str, value: &[u8]) {
    lsetxattr(path, name, value, XattrFlags::empty()).unwrap();
}

fn set_mtime(path: &Path, seconds: i64, nanoseconds: i64) {
    let time = Timespec {
        tv_sec: seconds,
        tv_nsec: nanoseconds,
    };
    let times = Timestamps {
        last_access: time,
        last_modification: time,
    };
    utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW).unwrap();
}

/// Those of nothing in particular.
fn plain(xattrs: &BTreeMap<String, Vec<u8>>) -> Attributes<'_> {
    Attributes {
        mode: 0o755,
        uid: 0,
        gid: 0,
        mtime: Mtime::default(),
        xattrs,
    }
}

#[test]
fn every_kind_of_file_is_what_it_was() {
    let source = tempfile::tempdir().unwrap();
    let root = source.path().join("root");
    let at = |name: &str| root.join(name);
    fs::create_dir_all(at("deep/er/est")).unwrap();
    for (name, size) in [
        ("empty", 0),
        ("small", 5),
        ("block-1", BLOCK - 1),
        ("block", BLOCK),
        ("block+1", BLOCK + 1),
        ("tail-fits", 3 * BLOCK - 64),
        ("tail-too-large", 3 * BLOCK - 63),
        ("large", 3 << 20),
        ("deep/er/file", 70_000),
    ] {
        let content: Vec<u8> = (0..size).map(|byte| (byte % 251) as u8).collect();
        fs::write(at(name), content).unwrap();
    }
    fs::hard_link(at("small"), at("deep/er/small")).unwrap();
    fs::hard_link(at("small"), at("zmall")).unwrap();
    symlink("small", at("link")).unwrap();
    symlink("t".repeat(4095), at("long-link")).unwrap();
    let _listener = UnixListener::bind(at("socket")).unwrap();
    let mode = Mode::from_raw_mode(0o640);
    mknodat(CWD, at("fifo"), FileType::Fifo, mode, 0).unwrap();
    for (name, kind, major, minor) in [
        ("null", FileType::CharacterDevice, 1, 3),
        ("disk", FileType::BlockDevice, 259, 70_000),
    ] {
        mknodat(CWD, at(name), kind, mode, makedev(major, minor)).unwrap();
    }
    fs::hard_link(at("fifo"), at("fifo-too")).unwrap();
    fs::set_permissions(at("small"), PermissionsExt::from_mode(0o6751)).unwrap();
    fs::set_permissions(at("deep"), PermissionsExt::from_mode(0o1777)).unwrap();
    std::os::unix::fs::lchown(at("link"), Some(1000), Some(70_000)).unwrap();
    std::os::unix::fs::lchown(at("deep/er"), Some(u32::MAX - 1), Some(5)).unwrap();
    set_xattr(&at("large"), "user.colour", b"blue");
    set_xattr(&at("large"), "user.empty", b"");
    set_xattr(
        &at("large"),
        "security.capability",
        b"\x01\0\0\x02\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
    );
    set_xattr(&at("large"), "trusted.overlay.origin", b"anything");
    set_xattr(&at("block"), "system.posix_acl_access", ACL);
    set_xattr(&at("deep"), "system.posix_acl_default", ACL);
    set_xattr(&at("deep/er"), "user.of-a-directory", &[7; 3000]);
    set_xattr(&root, "user.of-the-root", b"x");
    set_mtime(&at("small"), -5, 999_999_999);
    set_mtime(&at("link"), 1 << 33, 1);
    let image = mounted(&root);
    assert_eq!(all_facts(&image.path()), all_facts(&root));
    // Names of one file are one file.
    let inode = |name: &str| fs::symlink_metadata(image.path().join(name)).unwrap().ino();
    assert_eq!(inode("small"), inode("deep/er/small"));
    assert_ne!(inode("small"), inode("empty"));
}

#[test]
fn a_directory_has_as_many_names_as_it_may_and_each_is_found() {
    let source = tempfile::tempdir().unwrap();
    let mut names: Vec<String> = (0..5000).map(|number| format!("{number}")).collect();
    // Before `.`, and as long as a name may be.
    names.extend(["!".to_owned(), "-".to_owned(), "z".repeat(255)]);
    for name in &names {
        fs::write(source.path().join(name), name).unwrap();
    }
    let image = mounted(source.path());
    for name in &names {
        let content = fs::read_to_string(image.path().join(name)).unwrap();
        assert_eq!(&content, name);
    }
    assert_eq!(fs::read_dir(image.path()).unwrap().count(), names.len());
    assert!(!image.path().join("5000").exists());
}

#[test]
fn directories_of_every_size_around_a_block_are_whole() {
    let source = tempfile::tempdir().unwrap();
    for count in 14..19 {
        let directory = source.path().join(count.to_string());
        for number in 0..count {
            fs::create_dir_all(directory.join(format!("{}{number:02}", "n".repeat(240)))).unwrap();
        }
    }
    let image = mounted(source.path());
    assert_eq!(all_facts(&image.path()), all_facts(source.path()));
}

#[test]
fn many_files_take_several_regions_and_the_root_is_found_still() {
    let source = tempfile::tempdir().unwrap();
    for directory in 0..30 {
        let directory = source.path().join(directory.to_string());
        fs::create_dir(&directory).unwrap();
        for number in 0..100 {
            fs::write(directory.join(number.to_string()), vec![number; 2500]).unwrap();
        }
    }
    let image = mounted(source.path());
    assert_eq!(all_facts(&image.path()), all_facts(source.path()));
}

#[test]
fn the_same_tree_is_the_same_image() {
    let source = tempfile::tempdir().unwrap();
    fs::create_dir(source.path().join("d")).unwrap();
    fs::write(source.path().join("d/a"), vec![1; 10_000]).unwrap();
    fs::write(source.path().join("b"), "b").unwrap();
    let once = bytes(source.path());
    assert_eq!(once.len() % BLOCK, 0);
    assert!(once == bytes(source.path()));
    fs::write(source.path().join("b"), "c").unwrap();
    set_mtime(&source.path().join("b"), 0, 0);
    assert!(once != bytes(source.path()));
}

#[test]
fn holes_take_no_space_and_read_as_zeros() {
    let none = BTreeMap::new();
    let attributes = plain(&none);
    let size = 128_u64 << 30;
    let chunk = 64 << 10;
    let data = [
        (0, 5),
        (chunk * 3 + 100, 9),
        // Over the border of two chunks.
        (chunk * 7 - 3, 10),
        (size - 5, 5),
    ];
    let image = Mounted::new(&attributes, |writer| {
        let mut file = writer.file(b"sparse", &attributes, size, true)?;
        let mut at = 0;
        for (begin, length) in data {
            file.hole(begin - at)?;
            file.data(&vec![b'x'; length])?;
            at = begin + length as u64;
        }
        file.finish()?;
        let mut file = writer.file(b"ends-in-a-chunk", &attributes, 20_000, true)?;
        file.data(b"begin")?;
        file.finish()?;
        let mut file = writer.file(b"ends-with-a-hole", &attributes, 200_000, true)?;
        file.data(&[b'x'; 70_000])?;
        file.finish()?;
        let file = writer.file(b"nothing", &attributes, 1 << 20, true)?;
        file.finish()?;
        writer.file(b"empty", &attributes, 0, true)?.finish()?;
        Ok(())
    });
    let file = File::open(image.path().join("sparse")).unwrap();
    assert_eq!(file.metadata().unwrap().len(), size);
    for (begin, length) in data {
        let begin_before = begin.saturating_sub(10);
        let mut bytes = vec![1; length + (begin - begin_before) as usize];
        file.read_exact_at(&mut bytes, begin_before).unwrap();
        let (before, at) = bytes.split_at((begin - begin_before) as usize);
        assert!(before.iter().all(|byte| *byte == 0));
        assert!(at.iter().all(|byte| *byte == b'x'));
    }
    let read = |name: &str| fs::read(image.path().join(name)).unwrap();
    let mut expected = b"begin".to_vec();
    expected.resize(20_000, 0);
    assert!(read("ends-in-a-chunk") == expected);
    let mut expected = vec![b'x'; 70_000];
    expected.resize(200_000, 0);
    assert!(read("ends-with-a-hole") == expected);
    assert!(read("nothing") == vec![0; 1 << 20]);
    assert_eq!(read("empty"), b"");
}

#[test]
fn a_file_that_shrinks_or_grows_while_it_is_read_is_as_long_as_was_told() {
    let none = BTreeMap::new();
    let attributes = plain(&none);
    let image = Mounted::new(&attributes, |writer| {
        for (name, has_holes) in [(b"blocks", false), (b"chunks", true)] {
            for (end, come) in [(b'+', 100_000), (b'-', 10)] {
                let name = [name.as_slice(), &[end]].concat();
                let mut file = writer.file(&name, &attributes, 50_000, has_holes)?;
                file.data(&vec![b'x'; come])?;
                file.finish()?;
            }
        }
        Ok(())
    });
    for (name, come) in [("+", 50_000), ("-", 10)] {
        let mut expected = vec![b'x'; come];
        expected.resize(50_000, 0);
        for kind in ["blocks", "chunks"] {
            assert!(fs::read(image.path().join(format!("{kind}{name}"))).unwrap() == expected);
        }
    }
}

#[test]
fn extended_attributes_of_many_blocks_are_found() {
    let many: BTreeMap<String, Vec<u8>> = (0..20)
        .map(|number| (format!("user.{number}"), vec![number; 5000]))
        .collect();
    let none = BTreeMap::new();
    let (with, without) = (plain(&many), plain(&none));
    let image = Mounted::new(&with, |writer| {
        writer.open_directory(b"directory", &with)?;
        let mut file = writer.file(b"file", &with, 5, false)?;
        file.data(b"hello")?;
        file.finish()?;
        writer.close_directory()?;
        writer.symlink(b"link", &with, b"directory/file")?;
        writer.special(b"fifo", &without, Special::Fifo)?;
        Ok(())
    });
    for path in ["", "directory", "directory/file"] {
        assert_eq!(facts(&image.path().join(path)).xattrs, many, "{path}");
    }
    let content = fs::read_to_string(image.path().join("link")).unwrap();
    assert_eq!(content, "hello");
}

#[test]
fn what_is_told_in_the_wrong_order_is_refused() {
    let none = BTreeMap::new();
    let attributes = plain(&none);
    let writer = || Writer::new(tempfile::tempfile().unwrap(), &attributes).unwrap();
    let error = writer().close_directory().unwrap_err();
    assert!(matches!(error, ErofsError::NoDirectory), "{error}");
    let mut incomplete = writer();
    incomplete.open_directory(b"d", &attributes).unwrap();
    let error = incomplete.finish().unwrap_err();
    assert!(matches!(error, ErofsError::NoDirectory), "{error}");
    let error = writer().open_directory(b"a/b", &attributes).unwrap_err();
    assert!(matches!(error, ErofsError::Name { .. }), "{error}");
}

#[test]
fn what_is_larger_than_the_format_allows_is_refused_before_it_is_written() {
    let none = BTreeMap::new();
    let attributes = plain(&none);
    let file = tempfile::tempfile().unwrap();
    let mut writer = Writer::new(file.try_clone().unwrap(), &attributes).unwrap();
    let error = writer.file(b"f", &attributes, 1 << 44, false).unwrap_err();
    assert!(matches!(error, ErofsError::TooLarge), "{error}");
    assert_eq!(file.metadata().unwrap().len(), 0);
}
