//! Names that want out of the root: refused or contained, and nothing outside changes.

use std::fs;
use std::path::PathBuf;

use super::{Ground, refused};
use crate::error::ContentError;
use crate::fixture::Tar;

#[test]
fn names_with_dots_are_refused() {
    for name in [
        "../outside/file",
        "a/../../outside/file",
        "/../outside/file",
        "a/..",
    ] {
        let message = refused(Tar::default().file(name, b"evil"));
        assert!(message.contains("\"..\" component"), "{message}");
    }
}

#[test]
fn absolute_names_stay_below_the_root() {
    let ground = Ground::new();
    let name = format!("{}/file", ground.outside());
    ground
        .unpack(&Tar::default().file(&name, b"evil").end())
        .unwrap();
    let inside = ground.root().join(name.trim_start_matches('/'));
    assert_eq!(fs::read(inside).unwrap(), b"evil");
}

/// What a link can do that wants out, and where that leads within the root instead.
fn wanting_out(ground: &Ground) -> Vec<(String, PathBuf)> {
    let inside = ground.root().join(ground.outside().trim_start_matches('/'));
    vec![
        (ground.outside(), inside.clone()),
        ("../outside".to_owned(), ground.root().join("outside")),
        (
            format!("../../../../../../../..{}", ground.outside()),
            inside,
        ),
        ("/proc/self/root/x".to_owned(), {
            ground.root().join("proc/self/root/x")
        }),
    ]
}

#[test]
fn nothing_outside_is_written_through_a_symbolic_link() {
    let count = wanting_out(&Ground::new()).len();
    for number in 0..count {
        let links = |ground: &Ground| wanting_out(ground).swap_remove(number);
        type Make = fn(Tar) -> Tar;
        let makes: [(Make, &str); 9] = [
            (|tar| tar.file("l/file", b"evil"), "file"),
            (|tar| tar.folder("l/folder"), "folder"),
            (|tar| tar.folder("l/new"), "new"),
            (|tar| tar.symlink("l/link", "x"), "link"),
            (|tar| tar.file("l/.wh.file", b""), "file"),
            (|tar| tar.file("l/.wh..wh..opq", b""), ""),
            (|tar| tar.file("l/new/file", b"evil"), "new/file"),
            (|tar| tar.file("l/folder/../x", b""), ""),
            (|tar| tar.hard_link("h", "l/file"), ""),
        ];
        for (what, (make, name)) in makes.into_iter().enumerate() {
            // `unpack` compares what is outside with what it was.
            let ground = Ground::new();
            let (target, inside) = links(&ground);
            let tar = make(Tar::default().symlink("l", &target));
            match (ground.unpack(&tar.end()), what) {
                (Ok(_), ..7) => {
                    let made = inside.join(name).symlink_metadata();
                    assert!(made.is_ok(), "{target}: {name}: {:?}", ground.tree());
                }
                // What isn't there can't be linked to, though it is there outside.
                (Err(ContentError::UnsafeEntry { .. }), 7..) => {}
                (other, _) => panic!("{target}: {name}: {other:?}"),
            }
        }
    }
}

#[test]
fn links_that_lead_to_one_another_end() {
    for links in [
        Tar::default().symlink("a", "a"),
        Tar::default().symlink("b", "a").symlink("a", "./b"),
        Tar::default().symlink("a", "x/../a/y"),
    ] {
        let message = refused(links.file("a/file", b""));
        assert!(message.contains("too many symbolic links"), "{message}");
    }
    // As many as the kernel follows, and one more.
    let chain = |length: u32| {
        let links = (1..length).fold(Tar::default().folder("l0"), |tar, n| {
            tar.symlink(&format!("l{n}"), &format!("l{}", n - 1))
        });
        links.file(&format!("l{}/file", length - 1), b"1").end()
    };
    let ground = Ground::new();
    ground.unpack(&chain(41)).unwrap();
    assert_eq!(fs::read(ground.root().join("l0/file")).unwrap(), b"1");
    let error = Ground::new().unpack(&chain(42)).unwrap_err().to_string();
    assert!(error.contains("too many symbolic links"), "{error}");
}

#[test]
fn a_path_that_grows_behind_links_stays_within_the_limits() {
    let deep = |name: &str, depth: usize| vec![name; depth].join("/");
    let tar = Tar::default()
        .pax(&[("linkpath", deep("d", 230).as_bytes())])
        .symlink("l", "x");
    let allowed = tar.clone().file(&format!("l/{}", deep("e", 26)), b"");
    Ground::new().unpack(&allowed.end()).unwrap();
    let over = tar.file(&format!("l/{}", deep("e", 27)), b"");
    let message = refused(over);
    assert!(message.contains("too long or too deep"), "{message}");
}

#[test]
fn no_link_leads_to_a_directory_that_is_named_like_a_whiteout() {
    for target in [".wh.d", "x/.wh.d/y", "/.wh..wh..opq", ".wh..wh.plnk"] {
        let message = refused(Tar::default().symlink("l", target).file("l/file", b""));
        assert!(message.contains("name of a whiteout"), "{message}");
    }
}

#[test]
fn files_replace_folders_and_back() {
    let ground = Ground::new();
    let tar = Tar::default()
        .folder("d/e")
        .file("d/e/f", b"1")
        .file("d", b"2")
        .folder("d")
        .file("d/g", b"3")
        .file("d/g", b"4");
    ground.unpack(&tar.end()).unwrap();
    assert_eq!(fs::read(ground.root().join("d/g")).unwrap(), b"4");
    assert_eq!(ground.tree().len(), 2);
    refused(Tar::default().file("f", b"").file("f/x", b""));
    refused(Tar::default().file(".", b""));
}

#[test]
fn names_with_nul_are_refused() {
    let message = refused(Tar::default().pax(&[("path", b"a\0b")]).file("f", b""));
    assert!(message.contains("NUL"), "{message}");
    let link: [(&str, &[u8]); 1] = [("linkpath", b"a\0b")];
    refused(Tar::default().pax(&link).symlink("s", "x"));
    refused(Tar::default().pax(&link).hard_link("h", "x"));
}
