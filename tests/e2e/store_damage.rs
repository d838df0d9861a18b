//! A store that somebody else, or a failing disk, has been at: what is whole is shown and runs, and
//! nothing is removed that may be needed.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::process::Command;

use harness::store_contents::contents;
use harness::{Host, ImageBuilder};

use crate::imported::{busybox_host, import};

fn names(host: &Host) -> Vec<String> {
    let listed = host.fairing(["image", "list", "--format", "json"]).run();
    let listed = listed.ok().json();
    let name = |image: &serde_json::Value| image["reference"].as_str().unwrap().to_owned();
    listed.as_array().unwrap().iter().map(name).collect()
}

#[test]
fn a_torn_record_keeps_what_it_may_need() {
    let (host, whole) = busybox_host();
    let image = ImageBuilder::busybox().env("TORN", "1").build();
    let torn = import(&host, &image, "torn:1");
    let record = host.data_dir().join("images/refs/example.com%2Ftorn:1");
    let text = fs::read(&record).unwrap();
    fs::write(&record, &text[..text.len() / 2]).unwrap();
    let images = host.data_dir().join("images");
    let before = contents(&images);

    host.fairing(["image", "list"])
        .run()
        .ok()
        .expect_stdout(&whole)
        .expect_stderr("warning: ")
        .expect_stderr("example.com%2Ftorn:1");
    for gc in [vec!["gc"], vec!["image", "gc", "--expire=30d"]] {
        host.fairing(gc)
            .run()
            .ok()
            .expect_stderr("example.com%2Ftorn:1")
            .expect_stderr("no layer or blob was removed");
    }
    // Nor does the removal of another image take what the torn one may share with it.
    host.fairing(["image", "rm", &whole]).run().ok();
    let left = contents(&images);
    let gone: Vec<_> = before.keys().filter(|k| !left.contains_key(*k)).collect();
    assert_eq!(gone, ["refs/example.com%2Fbusybox:1"]);

    // Fetched again, it is whole again, and what it does not need goes.
    import(&host, &image, "torn:1");
    host.fairing(["run", "--rm", "--pull=never", &torn, "--", "/bin/true"])
        .run()
        .ok();
    host.fairing(["image", "gc"]).run().ok().expect_no_stderr();
    let blobs = images.join("blobs/sha256");
    assert_eq!(fs::read_dir(&blobs).unwrap().count(), 3);

    // Or it is removed by its name, all that is left of it.
    fs::write(&record, "").unwrap();
    host.fairing(["image", "rm", &torn]).run().ok();
    assert_eq!(fs::read_dir(&blobs).unwrap().count(), 0);
    assert_eq!(fs::read_dir(images.join("layers")).unwrap().count(), 0);
}

#[test]
fn a_manifest_that_is_gone_keeps_all_layers() {
    let (host, _) = busybox_host();
    let image = ImageBuilder::busybox().env("GONE", "1").build();
    let gone = import(&host, &image, "gone:1");
    let images = host.data_dir().join("images");
    fs::remove_file(images.join("blobs/sha256").join(&image.digest()[7..])).unwrap();
    host.fairing(["image", "list"])
        .run()
        .ok()
        .expect_stdout("damaged");
    let before = contents(&images);
    host.fairing(["image", "gc"])
        .run()
        .ok()
        .expect_stderr(&gone)
        .expect_stderr("no layer or blob was removed");
    assert_eq!(contents(&images), before);
    host.fairing(["image", "rm", &gone])
        .run()
        .ok()
        .expect_no_stderr();
    assert_eq!(names(&host).len(), 1);
    host.fairing(["image", "gc"]).run().ok().expect_no_stderr();
}

#[test]
fn strangers_are_named_and_left_alone() {
    let (host, image) = busybox_host();
    let images = host.data_dir().join("images");
    let unreadable = OsStr::from_bytes(b"a\xff.io%2Fb:1");
    for (folder, name) in [
        ("blobs/sha256", OsStr::new("README")),
        ("blobs/sha256", unreadable),
        ("layers", OsStr::new("backup")),
        ("signatures", OsStr::new("notes")),
    ] {
        fs::create_dir_all(images.join(folder)).unwrap();
        fs::write(images.join(folder).join(name), "mine").unwrap();
    }
    let before = contents(&images);
    let collected = host.fairing(["image", "gc"]).run().ok();
    for name in ["README", "backup", "notes"] {
        assert!(collected.stderr.contains(name), "{collected}");
    }
    assert_eq!(contents(&images), before);

    // Among the names, each may stand for an image.
    let refs = images.join("refs");
    fs::write(refs.join(unreadable), "mine").unwrap();
    fs::create_dir(refs.join("folder")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", refs.join("link")).unwrap();
    let pipe = Command::new("mkfifo").arg(refs.join("pipe")).status();
    assert!(pipe.unwrap().success());
    let copied = refs.join("example.com%2Fcopied:1");
    fs::copy(refs.join("example.com%2Fbusybox:1"), copied).unwrap();
    let listed = host.fairing(["image", "list", "--no-legend"]).run().ok();
    assert_eq!(listed.stdout.lines().count(), 1, "{listed}");
    assert_eq!(listed.stderr.lines().count(), 5, "{listed}");
    host.fairing(["run", "--rm", &image, "--", "/bin/true"])
        .run()
        .ok();
    host.fairing(["image", "gc", "--expire=30d"])
        .run()
        .ok()
        .expect_stderr("no layer or blob was removed");
}
