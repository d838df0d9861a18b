//! Names that want out of the root: refused or contained, and nothing outside changes.

use std::fs;

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

#[test]
fn nothing_is_written_through_a_symbolic_link() {
    let ground = Ground::new();
    for target in [ground.outside(), "../outside".to_owned(), "real".to_owned()] {
        for tar in [
            Tar::default()
                .folder("real")
                .symlink("l", &target)
                .file("l/file", b"evil"),
            Tar::default()
                .folder("real")
                .symlink("l", &target)
                .folder("l/sub"),
            Tar::default()
                .folder("real")
                .symlink("l", &target)
                .symlink("l/s", "x"),
            Tar::default()
                .folder("real")
                .symlink("l", &target)
                .file("l/.wh.file", b""),
            Tar::default()
                .folder("real")
                .symlink("l", &target)
                .file("l/.wh..wh..opq", b""),
            Tar::default()
                .folder("real")
                .symlink("l", &target)
                .hard_link("h", "l/file"),
            Tar::default()
                .folder("real")
                .symlink("l", &target)
                .file("l/new/file", b"evil"),
        ] {
            let ground = Ground::new();
            let error = ground.unpack(&tar.end()).unwrap_err();
            assert!(
                matches!(error, ContentError::UnsafeEntry { .. }),
                "{error:?}"
            );
        }
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
