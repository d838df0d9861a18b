//! Links of both kinds: nothing outside the root is reached through them.

use std::fs;
use std::os::unix::fs::MetadataExt;

use super::{Ground, refused};
use crate::fixture::{Head, Tar};

#[test]
fn a_link_in_the_place_of_a_cached_folder_leads_below_the_root() {
    let ground = Ground::new();
    let tar = Tar::default()
        .folder("d")
        .file("d/a", b"1")
        .symlink("d", &ground.outside())
        .file("d/file", b"evil")
        .folder("real")
        .symlink("d", "real")
        .file("d/b", b"2")
        .folder("d")
        .file("d/c", b"3");
    ground.unpack(&tar.end()).unwrap();
    let inside = ground
        .root()
        .join(ground.outside().trim_start_matches('/'))
        .join("file");
    assert_eq!(fs::read(inside).unwrap(), b"evil");
    assert_eq!(fs::read(ground.root().join("real/b")).unwrap(), b"2");
    let names: Vec<_> = fs::read_dir(ground.root().join("d"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names, ["c"]);
}

#[test]
fn members_below_a_link_of_the_same_layer_are_where_it_leads() {
    let ground = Ground::new();
    let tar = Tar::default()
        .folder("opt/real")
        .symlink("opt/link", "real")
        .file("opt/link/x", b"1")
        .folder("run")
        .symlink("var/run", "/run")
        .file("var/run/pid", b"2")
        .symlink("var/lock", "run/lock")
        .file("var/lock/a/b", b"3")
        .symlink("up", "var/../../opt/./real/")
        .folder("up/sub")
        .symlink("up/s", "elsewhere")
        .hard_link("up/h", "opt/link/x")
        .hard_link("top", "up/h")
        .file("up/.wh.gone", b"")
        .folder("up/sub/o")
        .file("up/sub/o/.wh..wh..opq", b"");
    ground.unpack(&tar.end()).unwrap();
    let at = |name: &str| ground.root().join(name);
    assert_eq!(fs::read(at("opt/real/x")).unwrap(), b"1");
    assert_eq!(fs::read(at("run/pid")).unwrap(), b"2");
    assert_eq!(fs::read(at("run/lock/a/b")).unwrap(), b"3");
    assert_eq!(
        fs::read_link(at("opt/link")).unwrap().to_str(),
        Some("real")
    );
    assert!(at("opt/real/sub").symlink_metadata().unwrap().is_dir());
    assert!(at("opt/real/s").symlink_metadata().unwrap().is_symlink());
    assert_eq!(fs::read(at("top")).unwrap(), b"1");
    assert_eq!(at("opt/real/x").metadata().unwrap().nlink(), 3);
    assert_eq!(at("opt/real/gone").symlink_metadata().unwrap().rdev(), 0);
    let mut value = [0_u8; 8];
    let opaque = at("opt/real/sub/o");
    assert!(rustix::fs::getxattr(&opaque, "trusted.overlay.opaque", &mut value[..]).is_ok());
}

#[test]
fn a_directory_that_a_member_was_put_into_behind_a_link_keeps_its_time() {
    let ground = Ground::new();
    let tar = Tar::default()
        .folder("real")
        .symlink("l", "real")
        .file("l/x", b"1");
    ground.unpack(&tar.end()).unwrap();
    let real = ground.root().join("real").metadata().unwrap();
    assert_eq!(real.mtime(), 1_000_000);
}

#[test]
fn a_file_in_the_place_of_a_link_replaces_the_link() {
    let ground = Ground::new();
    let target = format!("{}/file", ground.outside());
    ground
        .unpack(
            &Tar::default()
                .symlink("f", &target)
                .file("f", b"evil")
                .end(),
        )
        .unwrap();
    assert_eq!(fs::read(ground.root().join("f")).unwrap(), b"evil");
    assert!(
        ground
            .root()
            .join("f")
            .symlink_metadata()
            .unwrap()
            .is_file()
    );
}

#[test]
fn a_folder_in_the_place_of_a_link_replaces_the_link() {
    for name in ["foo", "foo/", "foo/."] {
        let ground = Ground::new();
        let head = Head {
            name: name.as_bytes(),
            kind: b'5',
            mode: 0o777,
            ..Head::default()
        };
        let tar = Tar::default().symlink("foo", &ground.outside()).head(&head);
        ground.unpack(&tar.end()).unwrap();
        assert!(
            ground
                .root()
                .join("foo")
                .symlink_metadata()
                .unwrap()
                .is_dir()
        );
    }
}

#[test]
fn hard_links_reach_nothing_outside() {
    let ground = Ground::new();
    let outside = format!("{}/file", ground.outside());
    refused(Tar::default().hard_link("h", "../outside/file"));
    refused(Tar::default().hard_link("h", &outside));
    refused(Tar::default().hard_link("h", "missing"));
    refused(Tar::default().folder("d").hard_link("h", "d"));
    refused(Tar::default().hard_link("h", ""));
    refused(Tar::default().hard_link("h", "h"));
    refused(Tar::default().hard_link("h", "/"));
}

#[test]
fn a_hard_link_to_a_symbolic_link_is_to_the_link_itself() {
    let ground = Ground::new();
    let target = format!("{}/file", ground.outside());
    let tar = Tar::default().symlink("s", &target).hard_link("h", "s");
    ground.unpack(&tar.clone().end()).unwrap();
    assert_eq!(
        fs::read_link(ground.root().join("h")).unwrap().to_str(),
        Some(&*target)
    );
    // Writing to that name makes a new file.
    let ground = Ground::new();
    ground.unpack(&tar.file("h", b"evil").end()).unwrap();
    assert_eq!(fs::read(ground.root().join("h")).unwrap(), b"evil");
}

#[test]
fn a_hard_link_over_itself_or_its_folder() {
    let ground = Ground::new();
    let tar = Tar::default()
        .file("a", b"1")
        .hard_link("b", "a")
        .hard_link("b", "a");
    ground.unpack(&tar.end()).unwrap();
    assert_eq!(ground.root().join("a").metadata().unwrap().nlink(), 2);
    refused(
        Tar::default()
            .folder("d")
            .file("d/a", b"1")
            .hard_link("d", "d/a"),
    );
}

#[test]
fn a_hard_link_to_a_later_entry_is_refused() {
    let message = refused(Tar::default().hard_link("h", "later").file("later", b"x"));
    assert!(
        message.contains("\"later\"") && message.contains("\"h\""),
        "{message}"
    );
    assert!(message.contains("is not in the layer"), "{message}");
}

#[test]
fn a_hard_link_to_what_is_outside_leaves_its_count_alone() {
    // The canary has the count of links in it.
    let ground = Ground::new();
    let tar = Tar::default()
        .symlink("l", &format!("{}/file", ground.outside()))
        .symlink("d", &ground.outside())
        .hard_link("a", "l")
        .end();
    ground.unpack(&tar).unwrap();
    let tar = Tar::default()
        .symlink("d", &ground.outside())
        .hard_link("b", "d/file");
    refused(tar);
}
