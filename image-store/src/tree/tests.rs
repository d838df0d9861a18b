use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use rustix::fs::{CWD, FileType, Mode, XattrFlags, mknodat, setxattr};

use super::*;

/// Two layers: of the lower one something is changed, removed and hidden.
fn layers(base: &Path) -> Vec<PathBuf> {
    let (upper, lower) = (base.join("upper"), base.join("lower"));
    for folder in ["etc", "gone", "opaque", "kept", "was-file"] {
        fs::create_dir_all(lower.join(folder)).unwrap();
    }
    fs::remove_dir(lower.join("was-file")).unwrap();
    fs::write(lower.join("was-file"), "a file").unwrap();
    fs::write(lower.join("etc/changed"), "old").unwrap();
    fs::write(lower.join("etc/removed"), "old").unwrap();
    fs::write(lower.join("etc/same"), "same").unwrap();
    fs::hard_link(lower.join("etc/same"), lower.join("kept/link")).unwrap();
    symlink("../etc/same", lower.join("kept/sym")).unwrap();
    fs::write(lower.join("gone/x"), "x").unwrap();
    fs::write(lower.join("opaque/old"), "old").unwrap();
    fs::set_permissions(lower.join("etc/same"), fs::Permissions::from_mode(0o4750)).unwrap();

    for folder in ["etc", "opaque", "was-file"] {
        fs::create_dir_all(upper.join(folder)).unwrap();
    }
    fs::write(upper.join("etc/changed"), "new").unwrap();
    fs::write(upper.join("was-file/inside"), "now a directory").unwrap();
    fs::write(upper.join("opaque/new"), "new").unwrap();
    for whiteout in ["etc/removed", "gone"] {
        let path = upper.join(whiteout);
        mknodat(CWD, &path, FileType::CharacterDevice, Mode::empty(), 0).unwrap();
    }
    setxattr(
        upper.join("opaque"),
        "trusted.overlay.opaque",
        b"y",
        XattrFlags::empty(),
    )
    .unwrap();
    vec![upper, lower]
}

fn check(root: &Path) {
    let read = |path: &str| fs::read_to_string(root.join(path)).ok();
    assert_eq!(read("etc/changed").as_deref(), Some("new"));
    assert_eq!(read("etc/removed"), None);
    assert!(!root.join("gone").exists());
    assert_eq!(read("opaque/old"), None);
    assert_eq!(read("opaque/new").as_deref(), Some("new"));
    assert_eq!(read("was-file/inside").as_deref(), Some("now a directory"));
    assert_eq!(read("kept/sym").as_deref(), Some("same"));
    let (same, link) = (root.join("etc/same"), root.join("kept/link"));
    let metadata = fs::metadata(same).unwrap();
    assert_eq!(metadata.ino(), fs::metadata(link).unwrap().ino());
    assert_eq!(metadata.mode() & 0o7777, 0o4750);
}

#[test]
fn a_path_is_looked_up_as_overlayfs_shows_it() {
    let base = tempfile::tempdir().unwrap();
    let layers = layers(base.path());
    let lower = &layers[1];
    symlink("/../../etc/same", lower.join("kept/absolute")).unwrap();
    symlink("loop", lower.join("loop")).unwrap();
    symlink("/proc/self/exe", lower.join("magic")).unwrap();
    let found = |path: &str| match look_up(&layers, path, &["proc"]).unwrap() {
        None => "nothing".to_owned(),
        Some(Found::File { file, .. }) => std::io::read_to_string(file).unwrap(),
        Some(Found::Directory) => "a directory".to_owned(),
        Some(Found::Other) => "something else".to_owned(),
        Some(Found::Elsewhere) => "elsewhere".to_owned(),
    };
    for (path, what) in [
        ("/etc/changed", "new"),
        ("/etc/removed", "nothing"),
        ("/etc/same", "same"),
        ("/gone", "nothing"),
        ("/gone/x", "nothing"),
        ("/opaque/old", "nothing"),
        ("/opaque/new", "new"),
        ("/was-file/inside", "now a directory"),
        ("/was-file", "a directory"),
        ("/kept/sym", "same"),
        ("kept/absolute", "same"),
        ("/kept/../etc/./changed", "new"),
        ("/kept/sym/x", "nothing"),
        ("/../..", "a directory"),
        ("/loop", "nothing"),
        ("/magic", "elsewhere"),
    ] {
        assert_eq!(found(path), what, "{path}");
    }
    let mode = match look_up(&layers, "/kept/link", &[]).unwrap() {
        Some(Found::File { mode, .. }) => mode,
        other => panic!("{other:?}"),
    };
    assert_eq!(mode & 0o7777, 0o4750);
}

#[test]
fn layers_are_one_tree_in_a_directory_and_in_a_tar_file() {
    let base = tempfile::tempdir().unwrap();
    let layers = layers(base.path());
    let dest = base.path().join("root");
    extract(&layers, &dest).unwrap();
    check(&dest);
    let lower = fs::metadata(layers[1].join("kept")).unwrap();
    let written = fs::metadata(dest.join("kept")).unwrap();
    assert_eq!(
        (written.mtime(), written.mode()),
        (lower.mtime(), lower.mode())
    );
    assert!(extract(&layers, &dest).is_err(), "it is there already");

    let file = base.path().join("root.tar");
    pack(&layers, fs::File::create(&file).unwrap(), &file).unwrap();
    let unpacked = base.path().join("unpacked");
    let mut archive = tar_crate(&file);
    archive.set_preserve_permissions(true);
    archive.unpack(&unpacked).unwrap();
    check(&unpacked);
}

fn tar_crate(file: &Path) -> ::tar::Archive<fs::File> {
    ::tar::Archive::new(fs::File::open(file).unwrap())
}

#[test]
fn what_fails_leaves_nothing() {
    let base = tempfile::tempdir().unwrap();
    let missing = base.path().join("missing");
    let dest = base.path().join("dest");
    assert!(extract(&[missing], &dest).is_err());
    assert!(!dest.exists());
}
