use super::*;

#[test]
fn layers_are_one_filesystem_that_the_kernel_mounts() {
    let base = tempfile::tempdir().unwrap();
    let layers = layers(base.path());
    let upper = &layers[0];
    let name = CString::new("user.colour").unwrap();
    setxattr(
        upper.join("opaque/new"),
        &name,
        b"blue",
        XattrFlags::empty(),
    )
    .unwrap();
    mknodat(CWD, upper.join("fifo"), FileType::Fifo, Mode::RWXU, 0).unwrap();
    let sparse = fs::File::create(upper.join("sparse")).unwrap();
    sparse.set_len(64 << 20).unwrap();
    sparse.write_all_at(b"end", (64 << 20) - 3).unwrap();
    fs::create_dir(upper.join("many")).unwrap();
    for number in 0..300 {
        fs::write(
            upper.join("many").join(number.to_string()),
            "x".repeat(number),
        )
        .unwrap();
    }
    let write = |name: &str| {
        let path = base.path().join(name);
        let file = fs::File::create_new(&path).unwrap();
        write_erofs(&layers, file, &path).unwrap();
        path
    };
    let image = write("image");
    assert!(
        fs::metadata(&image).unwrap().len() < 4 << 20,
        "holes take no space"
    );
    assert!(fs::read(&image).unwrap() == fs::read(write("again")).unwrap());
    let mounted = Mounted::new(&image);
    let root = mounted.0.path();
    check(root);
    // As in a directory that they are extracted to.
    let extracted = base.path().join("extracted");
    extract(&layers, &extracted, &Interrupt::default()).unwrap();
    let differs = Command::new("diff")
        .args(["-r", "--no-dereference", "--exclude=fifo"])
        .args([root, &extracted])
        .output()
        .unwrap();
    assert!(differs.status.success(), "{differs:?}");
    for path in [
        "etc/same",
        "kept",
        "kept/sym",
        "fifo",
        "sparse",
        "opaque/new",
    ] {
        let facts = |root: &Path| {
            let metadata = fs::symlink_metadata(root.join(path)).unwrap();
            let size = (!metadata.is_dir()).then_some(metadata.len());
            let owner = (metadata.uid(), metadata.gid());
            let mtime = (metadata.mtime(), metadata.mtime_nsec());
            (metadata.mode(), owner, mtime, metadata.nlink(), size)
        };
        assert_eq!(facts(root), facts(&extracted), "{path}");
    }
    // An extracted one is closed, since programs in it run as their owner.
    let modes = [root, upper.as_path()].map(|path| fs::metadata(path).unwrap().mode());
    assert_eq!(modes[0], modes[1]);
    let mut value = [0; 16];
    let length = getxattr(root.join("opaque/new"), &name, &mut value).unwrap();
    assert_eq!(value[..length], *b"blue");
}
