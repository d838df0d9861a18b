//! Trees against their seals; with images and the store around them in the store's own tests.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::digest::sha256;
use crate::error::ContentError;
use crate::layer::Layer;
use crate::seal::{Changes, Depth, Record, against_seal, check, seal};

/// A layer of a few files, sealed.
struct Sealed {
    folder: TempDir,
    layer: Layer,
}

impl Sealed {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("fs");
        fs::create_dir_all(root.join("d/e")).unwrap();
        for name in ["a", "d/e/f", "d/g", "m", "z"] {
            fs::write(root.join(name), name).unwrap();
        }
        symlink("a", root.join("link")).unwrap();
        let diff_id = sha256(b"layer");
        seal(folder.path(), &diff_id, false, &Record::default()).unwrap();
        let layer = Layer {
            diff_id,
            path: root,
        };
        Self { folder, layer }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.layer.path.join(name)
    }

    fn check(&self, depth: Depth) -> Result<(), ContentError> {
        let layers = std::slice::from_ref(&self.layer);
        check(layers, |_| self.folder.path().to_owned(), depth)
    }

    /// What has changed, contents included where there are threads that read them.
    fn changes(&self, threads: Option<usize>) -> Changes {
        against_seal(&self.layer, self.folder.path(), threads).unwrap()
    }

    /// The paths of what has changed, in the order in which they are told.
    fn paths(&self, threads: Option<usize>) -> Vec<String> {
        let told = self.changes(threads).told.into_iter();
        told.map(|(path, _)| path).collect()
    }
}

#[test]
fn a_tree_that_nobody_touched_is_as_it_was_sealed() {
    let sealed = Sealed::new();
    for depth in [Depth::Inodes, Depth::Contents] {
        sealed.check(depth).unwrap();
    }
    for threads in [None, Some(1), Some(3)] {
        assert_eq!(sealed.changes(threads), Changes::default());
    }
}

#[test]
fn each_change_of_a_tree_is_found_and_told_by_its_path() {
    type Change = (&'static str, &'static str, fn(&Path));
    let changes: [Change; 5] = [
        ("m", "content", |root| {
            fs::write(root.join("m"), "n").unwrap()
        }),
        ("d/g", "mode", |root| {
            let mode = fs::Permissions::from_mode(0o4755);
            fs::set_permissions(root.join("d/g"), mode).unwrap();
        }),
        ("z", "removed", |root| {
            fs::remove_file(root.join("z")).unwrap()
        }),
        ("d/new", "added", |root| {
            fs::write(root.join("d/new"), "").unwrap();
        }),
        ("link", "", |root| {
            fs::remove_file(root.join("link")).unwrap();
            symlink("m", root.join("link")).unwrap();
        }),
    ];
    for (path, what, change) in changes {
        let sealed = Sealed::new();
        change(&sealed.layer.path);
        for threads in [None, Some(2)] {
            let told = sealed.changes(threads).told;
            let found = told.iter().find(|(own, _)| own == path);
            assert!(found.is_some(), "{what} of {path}: {told:?}");
        }
        for depth in [Depth::Inodes, Depth::Contents] {
            let error = sealed.check(depth).unwrap_err();
            assert!(
                matches!(error, ContentError::LayerChanged { .. }),
                "{what} of {path}: {error}"
            );
        }
    }
}

#[test]
fn changes_are_told_in_the_order_of_the_tree_whoever_finds_them() {
    let sealed = Sealed::new();
    for name in ["z", "d/e/f", "a", "m", "d/g"] {
        let mode = fs::Permissions::from_mode(0o400);
        fs::set_permissions(sealed.at(name), mode).unwrap();
    }
    for threads in [None, Some(1), Some(3)] {
        let paths = sealed.paths(threads);
        assert_eq!(paths, ["a", "d/e/f", "d/g", "m", "z"], "{threads:?}");
    }
}

#[test]
fn what_lies_in_an_added_or_removed_directory_is_not_told_one_by_one() {
    let sealed = Sealed::new();
    fs::remove_dir_all(sealed.at("d/e")).unwrap();
    fs::create_dir_all(sealed.at("d/h/i")).unwrap();
    fs::write(sealed.at("d/h/i/j"), "").unwrap();
    let paths = sealed.paths(None);
    let told = |path: &str| paths.iter().any(|own| own == path);
    assert!(told("d/e") && told("d/h"), "{paths:?}");
    for within in ["d/e/f", "d/h/i", "d/h/i/j"] {
        assert!(!told(within), "{paths:?}");
    }
}

#[test]
fn the_seal_of_another_layer_is_none_of_this_one() {
    let sealed = Sealed::new();
    let other = Layer {
        diff_id: sha256(b"other"),
        path: sealed.layer.path.clone(),
    };
    let folder = || sealed.folder.path().to_owned();
    let error = check(&[other], |_| folder(), Depth::Inodes).unwrap_err();
    assert!(matches!(error, ContentError::Unsealed { .. }), "{error}");
}
