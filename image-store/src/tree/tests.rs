use std::ffi::CString;
use std::fs;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::process::Command;

use rustix::fs::{CWD, FileType, Mode, XattrFlags, getxattr, mknodat, setxattr};

use super::*;
use crate::file_content::segments;
use crate::interrupt::Interrupt;

mod filesystem;

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
    extract(&layers, &dest, &Interrupt::default()).unwrap();
    check(&dest);
    let lower = fs::metadata(layers[1].join("kept")).unwrap();
    let written = fs::metadata(dest.join("kept")).unwrap();
    assert_eq!(
        (written.mtime(), written.mode()),
        (lower.mtime(), lower.mode())
    );
    let again = extract(&layers, &dest, &Interrupt::default())
        .unwrap_err()
        .to_string();
    assert!(again.contains("already exists"), "{again}");

    let file = base.path().join("root.tar");
    pack(
        &layers.iter().cloned().map(Tree::from).collect::<Vec<_>>(),
        fs::File::create(&file).unwrap(),
        &file,
    )
    .unwrap();
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
    let error = extract(&[missing], &dest, &Interrupt::default())
        .unwrap_err()
        .to_string();
    assert!(error.contains("missing: No such file"), "{error}");
    assert!(!dest.exists());
}

#[test]
fn a_directory_with_programs_that_give_powers_is_closed_to_others() {
    let base = tempfile::tempdir().unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o7777;
    for (name, file_mode, closed) in [
        ("plain", 0o755, None),
        ("setuid", 0o4755, Some(0o755)),
        ("setgid", 0o2755, Some(0o755)),
    ] {
        let (tree, dest) = (
            base.path().join(name),
            base.path().join(format!("{name}-out")),
        );
        fs::create_dir(&tree).unwrap();
        fs::write(tree.join("program"), "x").unwrap();
        for (path, mode) in [(tree.join("program"), file_mode), (tree.clone(), 0o755)] {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        }
        let written = extract(std::slice::from_ref(&tree), &dest, &Interrupt::default()).unwrap();
        assert_eq!(written.closed, closed, "{name}");
        let expected = if closed.is_some() { 0o700 } else { 0o755 };
        assert_eq!(mode(&dest), expected, "{name}");
        assert_eq!(mode(&dest.join("program")), file_mode, "{name}");
    }
}

#[test]
fn holes_stay_holes_in_a_directory_and_cost_nothing_to_read() {
    let base = tempfile::tempdir().unwrap();
    let (tree, dest) = (base.path().join("tree"), base.path().join("dest"));
    fs::create_dir(&tree).unwrap();
    let disk = fs::File::create(tree.join("disk")).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&disk, b"end", 64 << 20).unwrap();
    disk.set_len(1 << 30).unwrap();
    extract(std::slice::from_ref(&tree), &dest, &Interrupt::default()).unwrap();
    let copied = fs::metadata(dest.join("disk")).unwrap();
    assert_eq!(copied.len(), 1 << 30);
    assert!(
        copied.blocks() * 512 < 1 << 20,
        "{} blocks",
        copied.blocks()
    );
}

/// Bytes of a file with holes, and where they are.
type Run<'a> = (u64, &'a [u8]);

/// What a file with holes consists of that a reader can see, and that it takes less room than that.
fn expect_sparse(path: &Path, size: u64, data: &[Run<'_>]) {
    use std::os::unix::fs::FileExt;
    let (file, metadata) = (fs::File::open(path).unwrap(), fs::metadata(path).unwrap());
    assert_eq!(metadata.len(), size, "{}", path.display());
    assert!(metadata.blocks() * 512 < 2 << 20, "{}", path.display());
    let mut found = Vec::new();
    for segment in segments(&file, size).unwrap().unwrap() {
        let mut bytes = vec![0; usize::try_from(segment.length).unwrap()];
        file.read_exact_at(&mut bytes, segment.offset).unwrap();
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        let end = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
        found.push((segment.offset + zeros as u64, bytes[zeros..end].to_owned()));
    }
    let data = data.iter().map(|(at, bytes)| (*at, bytes.to_vec()));
    assert_eq!(found, data.collect::<Vec<_>>(), "{}", path.display());
}

#[test]
fn holes_are_told_in_a_tar_file_and_come_back_with_us_and_with_gnu_tar() {
    use std::os::unix::fs::FileExt;
    const SIZE: u64 = 100 << 30;
    let base = tempfile::tempdir().unwrap();
    let tree = base.path().join("tree");
    // So long that it needs a record of its own.
    let long = format!("{}/{}", "d".repeat(200), "f".repeat(200));
    fs::create_dir_all(tree.join(&long).parent().unwrap()).unwrap();
    let large = vec![b'x'; 1 << 20];
    let files: [(&str, &[Run<'_>]); 5] = [
        ("nothing", &[]),
        ("ends-with-data", &[(SIZE - 3, b"end")]),
        ("ends-with-a-hole", &[(0, b"begin"), (1 << 30, b"middle")]),
        (&long, &[(5 << 30, &large)]),
        ("after", &[(7 << 20, b"after")]),
    ];
    for (name, data) in files {
        let file = fs::File::create(tree.join(name)).unwrap();
        file.set_len(SIZE).unwrap();
        for (at, bytes) in data {
            file.write_all_at(bytes, *at).unwrap();
        }
    }
    fs::write(tree.join("plain"), "no holes").unwrap();
    let archive = base.path().join("a.tar");
    pack(
        &[tree.into()],
        fs::File::create(&archive).unwrap(),
        &archive,
    )
    .unwrap();
    assert!(fs::metadata(&archive).unwrap().len() < 2 << 20);

    let (own, gnu) = (base.path().join("own"), base.path().join("gnu"));
    for dest in [&own, &gnu] {
        fs::create_dir(dest).unwrap();
    }
    // With room for all of these holes.
    let limits = Limits {
        file: SIZE,
        expanded: 6 * SIZE,
        ..Limits::default()
    };
    let plain = BufReader::new(fs::File::open(&archive).unwrap());
    image_layer::unpack(plain, &own, "a.tar", &limits).unwrap();
    let mut tar = std::process::Command::new("tar");
    let status = tar.arg("-xSf").arg(&archive).arg("-C").arg(&gnu).status();
    assert!(status.unwrap().success());
    for dest in [&own, &gnu] {
        for (name, data) in files {
            expect_sparse(&dest.join(name), SIZE, data);
        }
        assert_eq!(fs::read_to_string(dest.join("plain")).unwrap(), "no holes");
    }
}

/// Takes a file away when the first one comes.
struct Thief {
    victims: Vec<PathBuf>,
    taken: Vec<String>,
}

impl member::Sink for Thief {
    fn member(&mut self, member: member::Member<'_>) -> Result<(), StoreError> {
        let path = String::from_utf8_lossy(member.path).into_owned();
        if matches!(member.kind, member::Kind::HardLink(_)) {
            self.taken.push(format!("{path} is a link"));
            return Ok(());
        }
        if path == "a" {
            for victim in self.victims.drain(..) {
                match victim.is_dir() {
                    true => fs::remove_dir_all(victim).unwrap(),
                    false => fs::remove_file(victim).unwrap(),
                }
            }
        }
        self.taken.push(path);
        Ok(())
    }

    fn end_of_folder(&mut self) -> Result<(), StoreError> {
        Ok(())
    }
}

#[test]
fn what_goes_while_a_tree_is_read_is_left_out_and_told() {
    let base = tempfile::tempdir().unwrap();
    let tree = base.path().join("tree");
    fs::create_dir_all(tree.join("folder/inner")).unwrap();
    for name in ["a", "gone", "last"] {
        fs::write(tree.join(name), name).unwrap();
    }
    // The first name of a file goes, and another stays.
    fs::hard_link(tree.join("gone"), tree.join("other-name")).unwrap();
    fs::hard_link(tree.join("gone"), tree.join("third-name")).unwrap();
    let mut thief = Thief {
        victims: vec![tree.join("gone"), tree.join("folder")],
        taken: Vec::new(),
    };
    let left_out = merged::walk(&[merged::root(&tree).unwrap().into()], &mut thief).unwrap();
    assert_eq!(left_out.gone, ["/folder", "/gone"]);
    assert_eq!(
        thief.taken,
        ["", "a", "last", "other-name", "third-name is a link"]
    );
}

#[test]
fn a_directory_of_layers_is_copied_as_it_is_seen() {
    let base = tempfile::tempdir().unwrap();
    let trees = layers(base.path());
    fs::set_permissions(trees[0].join("etc"), fs::Permissions::from_mode(0o2751)).unwrap();
    symlink("/etc", trees[0].join("link")).unwrap();
    let copy = |path: &str| {
        let dest = base.path().join("copy");
        let _ = fs::remove_dir_all(&dest);
        copy_directory(&trees, path, &["dev"], &dest)
            .unwrap()
            .then_some(dest)
    };
    for path in ["/etc", "etc/", "/link", "/kept/../etc/."] {
        let copied = copy(path).unwrap();
        assert_eq!(fs::read_to_string(copied.join("changed")).unwrap(), "new");
        assert!(!copied.join("removed").exists());
        // Its mode too, though somebody may run what is in it as its owner: nobody else gets as far.
        assert_eq!(copied.metadata().unwrap().mode() & 0o7777, 0o2751);
        assert_eq!(
            copied.join("same").metadata().unwrap().mode() & 0o7777,
            0o4750
        );
    }
    assert_eq!(fs::read_dir(copy("opaque").unwrap()).unwrap().count(), 1);
    for path in [
        "/etc/same",
        "/gone",
        "/none/at/all",
        "/dev/shm",
        "/kept/sym",
    ] {
        assert_eq!(copy(path), None, "{path}");
    }
}

#[test]
fn a_tar_file_is_unpacked_as_it_is_and_nothing_of_it_gets_out() {
    let base = tempfile::tempdir().unwrap();
    let (source, dest) = (base.path().join("source"), base.path().join("dest"));
    fs::create_dir_all(source.join("sub")).unwrap();
    fs::write(source.join("sub/.wh.file"), "a file like others").unwrap();
    fs::write(source.join("file"), "text").unwrap();
    fs::create_dir(&dest).unwrap();
    let archive = base.path().join("a.tar");
    pack(
        &[source.into()],
        fs::File::create(&archive).unwrap(),
        &archive,
    )
    .unwrap();
    let unpacked = || {
        let file = fs::File::open(&archive).unwrap();
        let (limits, interrupt) = (Limits::default(), Interrupt::default());
        unpack(file, &archive, &dest, &limits, &interrupt)
    };
    unpacked().unwrap();
    let read = |path: &str| fs::read_to_string(dest.join(path)).unwrap();
    assert_eq!(read("sub/.wh.file"), "a file like others");
    assert_eq!(read("file"), "text");
    // Not an archive at all.
    fs::write(&archive, "text").unwrap();
    unpacked().unwrap_err();
}

/// A directory on which the file is mounted as EROFS; unmounted when this is dropped.
struct Mounted(tempfile::TempDir);

impl Mounted {
    fn new(image: &Path) -> Self {
        let at = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "erofs", "-o", "ro"])
            .args([image, at.path()])
            .status()
            .unwrap();
        assert!(mounted.success());
        Self(at)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("-l").arg(self.0.path()).status();
        assert!(unmounted.unwrap().success());
    }
}

#[test]
fn what_a_tree_changes_becomes_a_layer_with_removals_and_links() {
    let base = tempfile::tempdir().unwrap();
    let layers = layers(base.path());
    let upper = Tree::from(layers[0].clone());
    fs::create_dir(layers[0].join("left-out")).unwrap();
    fs::hard_link(layers[0].join("etc/changed"), layers[0].join("linked")).unwrap();
    let but = BTreeSet::from([b"left-out".to_vec()]);
    let limits = Limits::default();
    let name = Path::new("layer");
    let pack = |limits: &Limits| pack_layer(&upper, &but, limits, Vec::new(), name);
    let (tar, gone) = pack(&limits).unwrap();
    assert_eq!(gone, [""; 0]);
    let mut names: Vec<String> = ::tar::Archive::new(&*tar)
        .entries()
        .unwrap()
        .map(|entry| entry.unwrap().path().unwrap().display().to_string())
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            "./",
            ".wh.gone",
            "etc/",
            "etc/.wh.removed",
            "etc/changed",
            "linked",
            "opaque/",
            "opaque/.wh..wh..opq",
            "opaque/new",
            "was-file/",
            "was-file/inside"
        ]
    );
    let links = ::tar::Archive::new(&*tar)
        .entries()
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().header().entry_type().is_hard_link())
        .count();
    assert_eq!(links, 1);
    let file = 5;
    let small = Limits { file, ..limits };
    let error = pack(&small).unwrap_err().to_string();
    assert!(error.contains("/was-file/inside"), "{error}");
    fs::write(layers[0].join("etc/.wh.same"), "").unwrap();
    let error = pack(&Limits::default()).unwrap_err().to_string();
    assert!(error.contains("/etc/.wh.same"), "{error}");
}
