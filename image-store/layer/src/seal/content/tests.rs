use super::*;
use std::io::Write;

fn summed(size: u64, parts: &[(u64, &[u8])]) -> Sum {
    let mut summer = Summer::new(true);
    for (offset, data) in parts {
        summer.skip_to(*offset);
        summer.append(data);
    }
    summer.finish(size)
}

#[test]
fn a_sparse_file_has_one_digest_however_it_is_cut() {
    let mut data = vec![0; 300_000];
    data[70_000..71_000].fill(7);
    data[131_072..200_000].fill(8);
    let whole = summed(300_000, &[(0, &data)]);
    let pieces = [
        (70_000, &data[70_000..71_000]),
        (131_072, &data[131_072..200_000]),
    ];
    assert_eq!(summed(300_000, &pieces), whole);
    assert_ne!(summed(300_001, &pieces), whole);
    let mut file = tempfile::tempfile().unwrap();
    file.set_len(300_000).unwrap();
    for (offset, part) in pieces {
        file.write_all_at(part, offset).unwrap();
    }
    assert_eq!(read(&file, true).unwrap(), whole);
    let mut full = tempfile::tempfile().unwrap();
    full.write_all(&data).unwrap();
    assert_eq!(read(&full, true).unwrap(), whole);
    full.write_all_at(b"x", 299_999).unwrap();
    assert_ne!(read(&full, true).unwrap(), whole);
    file.flush().unwrap();
}

#[test]
fn a_moved_piece_is_another_content() {
    let data = [9; 100];
    assert_ne!(
        summed(1 << 40, &[(0, &data)]),
        summed(1 << 40, &[(65_536, &data)])
    );
    assert_ne!(
        summed(1 << 40, &[(0, &data)]),
        summed(1 << 40, &[(1, &data)])
    );
}

#[test]
fn records_are_read_as_they_were_written() {
    let sum = Sum {
        sparse: true,
        hash: [3; 32],
    };
    for (data, xattrs) in [(None, None), (Some(sum), None), (Some(sum), Some([4; 32]))] {
        let content = Content { data, xattrs };
        assert_eq!(Content::from_bytes(&content.to_bytes()), Some(content));
    }
    let mut bad = [0; RECORD];
    bad[0] = 9;
    assert_eq!(Content::from_bytes(&bad), None);
}

#[test]
fn records_that_no_writer_makes_are_refused() {
    for (kind, attributes) in [(3, 0), (0, 2), (255, 255)] {
        let mut bytes = [0; RECORD];
        (bytes[0], bytes[1]) = (kind, attributes);
        assert_eq!(Content::from_bytes(&bytes), None, "{kind} {attributes}");
    }
    let dense = Content {
        data: Some(Sum {
            sparse: false,
            hash: [1; 32],
        }),
        xattrs: None,
    };
    assert_eq!(Content::from_bytes(&dense.to_bytes()), Some(dense));
}

#[test]
fn what_differs_is_told_by_what_it_is() {
    let of = |byte: Option<u8>, xattrs: Option<u8>| Content {
        data: byte.map(|byte| Sum {
            sparse: false,
            hash: [byte; 32],
        }),
        xattrs: xattrs.map(|byte| [byte; 32]),
    };
    let was = of(Some(1), Some(1));
    let change = |now: Content, kind| was.change(&now, kind);
    assert_eq!(change(was, FileType::RegularFile), None);
    let other = of(Some(2), Some(2));
    assert_eq!(
        change(other, FileType::RegularFile),
        Some("has different content")
    );
    assert_eq!(
        change(other, FileType::Symlink),
        Some("has a different target")
    );
    for now in [of(Some(1), None), of(Some(1), Some(2))] {
        let told = change(now, FileType::RegularFile);
        assert_eq!(told, Some("has different extended attributes"));
    }
}

/// A directory with a file, a link to it and a directory, and what is in one of them.
fn held(name: &str, change: impl Fn(&std::path::Path)) -> io::Result<Content> {
    let root = tempfile::tempdir().unwrap();
    std::fs::write(root.path().join("file"), "content").unwrap();
    std::os::unix::fs::symlink("file", root.path().join("link")).unwrap();
    std::fs::create_dir(root.path().join("directory")).unwrap();
    change(root.path());
    let open_root = File::open(root.path()).unwrap();
    let stat = rustix::fs::statat(&open_root, name, rustix::fs::AtFlags::SYMLINK_NOFOLLOW).unwrap();
    content(
        open_root.as_fd(),
        name.as_bytes(),
        &Facts::of(&stat),
        None,
        None,
    )
}

fn attribute(path: &std::path::Path, name: &str, value: &[u8]) {
    let flags = rustix::fs::XattrFlags::empty();
    rustix::fs::lsetxattr(path, name, value, flags).unwrap();
}

#[test]
fn a_file_holds_its_bytes_a_link_its_target_and_a_directory_neither() {
    let nothing = |_: &std::path::Path| {};
    let of_file = held("file", nothing).unwrap();
    let mut summer = Summer::new(false);
    summer.append(b"con");
    summer.append(b"tent");
    assert_eq!(of_file.data, Some(summer.finish(7)));
    let of_link = held("link", nothing).unwrap();
    let mut summer = Summer::new(false);
    summer.append(b"file");
    assert_eq!(of_link.data, Some(summer.finish(0)));
    assert_eq!(held("directory", nothing).unwrap().data, None);
    for content in [of_file, of_link] {
        assert_eq!(content.xattrs, None);
    }
}

#[test]
fn attributes_of_a_layer_count_and_labels_of_the_machine_do_not() {
    let with = |attributes: &[(&'static str, &'static str)]| {
        let attributes = attributes.to_vec();
        let content = held("file", move |root| {
            for (name, value) in &attributes {
                attribute(&root.join("file"), name, value.as_bytes());
            }
        });
        content.unwrap().xattrs
    };
    let none = with(&[]);
    let one = with(&[("trusted.a", "1")]);
    assert!(none.is_none() && one.is_some());
    assert_ne!(with(&[("trusted.a", "2")]), one);
    assert_ne!(with(&[("trusted.b", "1")]), one);
    // Where a name ends and its value begins counts.
    assert_ne!(with(&[("trusted.ab", "c")]), with(&[("trusted.a", "bc")]));
    let both = [("trusted.a", "1"), ("trusted.b", "2")];
    let reversed = [both[1], both[0]];
    assert_eq!(with(&both), with(&reversed));
    assert_ne!(with(&both), one);
    let of_machine = held("file", |root| {
        attribute(&root.join("file"), "security.fairing", b"label");
    });
    assert_eq!(of_machine.unwrap().xattrs, None);
    let of_link = held("link", |root| {
        attribute(&root.join("link"), "trusted.a", b"1")
    });
    assert_eq!(of_link.unwrap().xattrs, one);
    let of_directory = held("directory", |root| {
        attribute(&root.join("directory"), "trusted.a", b"1");
    });
    assert_eq!(of_directory.unwrap().xattrs, one);
}

#[test]
fn nothing_is_opened_through_a_link_and_nothing_waits_for_what_took_a_file_s_place() {
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir(root.path().join("real")).unwrap();
    std::fs::write(root.path().join("real/file"), "").unwrap();
    std::os::unix::fs::symlink("real", root.path().join("link")).unwrap();
    let open_root = File::open(root.path()).unwrap();
    let open = |path: &[u8]| open(open_root.as_fd(), path, OFlags::RDONLY);
    assert!(open(b"real/file").is_ok() && open(b"").is_ok());
    for bad in [&b"link/file"[..], b"link", b"../x", b"/etc/passwd"] {
        assert!(open(bad).is_err(), "{}", String::from_utf8_lossy(bad));
    }
    let stat = rustix::fs::stat(root.path().join("real/file")).unwrap();
    let mode = Mode::from_raw_mode(0o600);
    let fifo = root.path().join("fifo");
    rustix::fs::mknodat(rustix::fs::CWD, fifo, FileType::Fifo, mode, 0).unwrap();
    // It has nothing to be read, as nobody writes to it.
    let found = content(open_root.as_fd(), b"fifo", &Facts::of(&stat), None, None);
    assert!(found.is_err(), "{found:?}");
}

#[test]
fn what_is_known_of_a_file_is_not_read_again() {
    let root = tempfile::tempdir().unwrap();
    std::fs::write(root.path().join("file"), "content").unwrap();
    let open_root = File::open(root.path()).unwrap();
    let stat = rustix::fs::stat(root.path().join("file")).unwrap();
    let known = Sum {
        sparse: false,
        hash: [9; 32],
    };
    let facts = Facts::of(&stat);
    let found = content(open_root.as_fd(), b"file", &facts, Some(known), None);
    assert_eq!(found.unwrap().data, Some(known));
    // As it was read before: in pieces, or as a whole.
    let sparse = Sum {
        sparse: true,
        ..known
    };
    for like in [known, sparse] {
        let found = content(open_root.as_fd(), b"file", &facts, None, Some(like));
        assert_eq!(found.unwrap().data.unwrap().sparse, like.sparse);
    }
}
