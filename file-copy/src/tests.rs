use std::fs;
use std::io::Cursor;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use image_layer::Limits;
use tar::{Builder, EntryType, Header};

use super::*;

fn rules() -> Rules {
    Rules {
        owners: false,
        trusted: false,
        limits: Limits::default(),
    }
}

fn received_by(
    stream: &[u8],
    to: &Path,
    of: Sent,
    rules: &Rules,
) -> Result<Vec<LeftOut>, CopyError> {
    let arrival = Arrival {
        path: to.to_path_buf(),
        of,
    };
    let mut left_out = Vec::new();
    Receiver::receive(&arrival, Cursor::new(stream), rules, &mut |_, why| {
        left_out.push(why);
    })?;
    Ok(left_out)
}

fn received(stream: &[u8], to: &Path) -> Result<Vec<LeftOut>, CopyError> {
    received_by(stream, to, Sent::Named(PathBuf::from("sent")), &rules())
}

/// A member, with its name as it is.
fn member(name: &str, kind: EntryType, link: &str, mode: u32, content: &[u8]) -> Vec<u8> {
    let mut header = Header::new_ustar();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(1);
    header.set_gid(1);
    header.set_mtime(1);
    header.set_size(content.len() as u64);
    header.set_device_major(1).unwrap();
    header.set_device_minor(5).unwrap();
    let old = header.as_old_mut();
    old.name[..name.len()].copy_from_slice(name.as_bytes());
    old.linkname[..link.len()].copy_from_slice(link.as_bytes());
    header.set_cksum();
    let mut builder = Builder::new(Vec::new());
    builder.append(&header, content).unwrap();
    let mut bytes = builder.into_inner().unwrap();
    bytes.truncate(bytes.len() - 1024);
    bytes
}

fn folder(name: &str) -> Vec<u8> {
    member(name, EntryType::Directory, "", 0o755, b"")
}

fn file(name: &str) -> Vec<u8> {
    member(name, EntryType::Regular, "", 0o644, b"evil")
}

fn stream(members: &[Vec<u8>]) -> Vec<u8> {
    let mut all = members.concat();
    all.resize(all.len() + 1024, 0);
    all
}

#[test]
fn what_comes_goes_nowhere_but_below_its_name() {
    for members in [
        vec![folder("d/"), file("d/../../out")],
        vec![folder("d/"), file("../out")],
        vec![folder("d/"), file("/out")],
        vec![folder("d/"), file("other/out")],
        vec![folder("d/"), file("d")],
        vec![
            folder("d/"),
            member("d/link", EntryType::Symlink, "/", 0o777, b""),
            file("d/link/tmp/fairing-out"),
        ],
        vec![
            folder("d/"),
            member("d/link", EntryType::Symlink, "..", 0o777, b""),
            folder("d/link/"),
            file("d/link/out"),
        ],
        vec![
            member("d", EntryType::Symlink, "out", 0o777, b""),
            file("d/x"),
        ],
    ] {
        let dir = tempfile::tempdir().unwrap();
        let to = dir.path().join("to");
        fs::create_dir(&to).unwrap();
        let error = received(&stream(&members), &to).unwrap_err();
        assert!(!error.to_string().is_empty());
        let names = |path: &Path| -> Vec<_> {
            let entries = fs::read_dir(path).unwrap();
            entries.map(|entry| entry.unwrap().file_name()).collect()
        };
        assert_eq!(names(dir.path()), ["to"]);
        // It has the name that was asked for, whatever it is called in the stream.
        assert!(
            names(&to).iter().all(|name| name == "sent"),
            "{:?}",
            names(&to)
        );
        assert!(!Path::new("/tmp/fairing-out").exists());
    }
}

#[test]
fn links_that_are_there_are_not_gone_through_and_what_is_no_file_stays() {
    let dir = tempfile::tempdir().unwrap();
    let (to, elsewhere) = (dir.path().join("to"), dir.path().join("elsewhere"));
    fs::create_dir_all(to.join("sent")).unwrap();
    fs::create_dir(&elsewhere).unwrap();
    symlink(&elsewhere, to.join("sent/link")).unwrap();
    let through = stream(&[folder("d/"), folder("d/link/"), file("d/link/x")]);
    let error = received(&through, &to).unwrap_err().to_string();
    assert!(
        error.contains("nothing is written through links"),
        "{error}"
    );
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
    // A file takes the place of a link, and not of what it leads to.
    fs::write(elsewhere.join("kept"), "kept").unwrap();
    symlink(elsewhere.join("kept"), to.join("sent/name")).unwrap();
    received(&stream(&[folder("d/"), file("d/name")]), &to).unwrap();
    assert_eq!(fs::read(elsewhere.join("kept")).unwrap(), b"kept");
    assert_eq!(fs::read(to.join("sent/name")).unwrap(), b"evil");
    let _socket = std::os::unix::net::UnixListener::bind(to.join("sent/socket")).unwrap();
    let over = stream(&[folder("d/"), file("d/socket")]);
    let error = received(&over, &to).unwrap_err().to_string();
    assert!(error.contains("a device or a socket"), "{error}");
    fs::create_dir(to.join("sent/full")).unwrap();
    let over = stream(&[folder("d/"), file("d/full")]);
    let error = received(&over, &to).unwrap_err().to_string();
    assert!(error.contains("it is a directory"), "{error}");
}

#[test]
fn nobody_gets_devices_links_to_other_files_or_programs_of_another() {
    let dir = tempfile::tempdir().unwrap();
    let secret = dir.path().join("secret");
    fs::write(&secret, "secret").unwrap();
    let members = [
        folder("d/"),
        member("d/zero", EntryType::Char, "", 0o666, b""),
        member("d/disk", EntryType::Block, "", 0o666, b""),
        member("d/second", EntryType::Link, "secret", 0o644, b""),
        member("d/root", EntryType::Regular, "", 0o6755, b"#!"),
        member("d/setgid/", EntryType::Directory, "", 0o2755, b""),
        member("d/pipe", EntryType::Fifo, "", 0o600, b""),
    ];
    let left = received(&stream(&members), dir.path()).unwrap();
    assert_eq!(left, [LeftOut::Device, LeftOut::Device, LeftOut::HardLink]);
    let mode = |name: &str| {
        let stat = fs::symlink_metadata(dir.path().join("sent").join(name)).unwrap();
        stat.permissions().mode() & 0o7777
    };
    assert_eq!(
        (mode("root"), mode("setgid"), mode("pipe")),
        (0o755, 0o755, 0o600)
    );
    for gone in ["zero", "disk", "second"] {
        assert!(!dir.path().join("sent").join(gone).exists(), "{gone}");
    }
    assert_eq!(fs::metadata(&secret).unwrap().nlink(), 1);
}

#[test]
fn what_goes_over_a_limit_or_ends_early_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let whole = stream(&[folder("d/"), file("d/x")]);
    for cut in [700, 1100] {
        received(&whole[..cut], dir.path()).unwrap_err();
    }
    assert!(matches!(received(&[], dir.path()), Err(CopyError::Nothing)));
    for limits in [
        Limits {
            entries: 1,
            ..Limits::default()
        },
        Limits {
            file: 3,
            ..Limits::default()
        },
        Limits {
            expanded: 3,
            ..Limits::default()
        },
    ] {
        let rules = Rules { limits, ..rules() };
        let sent = Sent::Named(PathBuf::from("sent"));
        let error = received_by(&whole, dir.path(), sent, &rules).unwrap_err();
        assert!(matches!(error, CopyError::Stream(_)), "{error}");
    }
}

#[test]
fn what_is_sent_arrives_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let from = dir.path().join("from");
    fs::create_dir_all(from.join("a/b")).unwrap();
    fs::write(from.join("a/b/zeros"), vec![0; 200_000]).unwrap();
    fs::write(from.join("a/text"), "text").unwrap();
    symlink("text", from.join("a/link")).unwrap();
    fs::set_permissions(from.join("a"), fs::Permissions::from_mode(0o555)).unwrap();
    let long = "n".repeat(200);
    fs::write(from.join(&long), "long").unwrap();
    for (path, of, made) in [
        ("from", Sent::Named(PathBuf::from("from")), "to"),
        ("from/.", Sent::Content, "content"),
    ] {
        let mut bytes = Vec::new();
        let source = Source {
            path: dir.path().join(path),
            follow: false,
        };
        send(&source, &mut bytes, &mut |path, _| {
            panic!("{}", path.display())
        })
        .unwrap();
        let made = dir.path().join(made);
        received_by(&bytes, &made, of, &rules()).unwrap();
        let mode = fs::metadata(made.join("a")).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o555);
        assert_eq!(fs::read(made.join("a/b/zeros")).unwrap(), vec![0; 200_000]);
        assert_eq!(fs::metadata(made.join("a/b/zeros")).unwrap().blocks(), 0);
        assert_eq!(
            fs::read_link(made.join("a/link")).unwrap(),
            Path::new("text")
        );
        assert_eq!(fs::read(made.join(&long)).unwrap(), b"long");
        let time = |path: PathBuf| fs::metadata(path).unwrap().modified().unwrap();
        assert_eq!(time(made.join("a/text")), time(from.join("a/text")));
        assert_eq!(time(made.join("a")), time(from.join("a")));
    }
}
