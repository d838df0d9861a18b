//! Which isolators may run: they are root before anything confines them.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use harness::{Host, ImageBuilder, Key, Layer, dist_dir};

use crate::imported::{busybox_host, import};

/// A copy of the installed isolator.
pub(crate) fn copy(host: &Host) -> PathBuf {
    copy_of(host, "nspawn")
}

/// A copy of an installed isolator.
pub(crate) fn copy_of(host: &Host, name: &str) -> PathBuf {
    let folder = host.base().join("isolator");
    fs::create_dir(&folder).unwrap();
    for entry in fs::read_dir(dist_dir().join("lib/fairing/stage1").join(name)).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), folder.join(entry.file_name())).unwrap();
    }
    fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
    folder
}

fn run(host: &Host, image: &str, isolator: &Path) -> harness::Output {
    host.fairing(["run", "--rm", "--stage1"])
        .arg(isolator)
        .args([image, "--", "/bin/true"])
        .run()
}

#[test]
fn an_isolator_must_be_roots_alone() {
    let (host, image) = busybox_host();
    let isolator = copy(&host);
    run(&host, &image, &isolator).ok();
    for name in ["", "stage1.json", "pod-init"] {
        let path = isolator.join(name);
        let before = fs::metadata(&path).unwrap().permissions();
        for mode in [0o775, 0o757] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            run(&host, &image, &isolator)
                .expect_error(125, &["isolator", "is refused", "may write to it"]);
        }
        fs::set_permissions(&path, before).unwrap();
        chown(&path, Some(12345), None).unwrap();
        run(&host, &image, &isolator).expect_error(125, &["belongs to user 12345"]);
        chown(&path, Some(0), None).unwrap();
    }
    run(&host, &image, &isolator).ok();
    symlink("/bin/sh", isolator.join("more")).unwrap();
    run(&host, &image, &isolator).expect_error(125, &["is refused", "more"]);
    assert!(host.pod_folders().is_empty());
}

#[test]
fn an_isolator_that_others_could_exchange_is_refused() {
    let (host, image) = busybox_host();
    let isolator = copy(&host);
    let open = host.base().join("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, Permissions::from_mode(0o777)).unwrap();
    let moved = open.join("isolator");
    fs::rename(&isolator, &moved).unwrap();
    run(&host, &image, &moved).expect_error(125, &["is refused", "everyone may write to it"]);
}

#[test]
fn a_prepared_pod_looks_at_its_isolator_again() {
    let (host, image) = busybox_host();
    let isolator = copy(&host);
    let pod = host
        .fairing(["prepare", "--stage1"])
        .arg(&isolator)
        .args([&image, "--", "/bin/true"])
        .run()
        .ok();
    let program = isolator.join("stage1-nspawn");
    fs::set_permissions(&program, Permissions::from_mode(0o777)).unwrap();
    host.fairing(["run-prepared", pod.text()])
        .run()
        .expect_error(125, &["is refused", "stage1-nspawn"]);
    fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
    host.fairing(["run-prepared", pod.text()]).run().ok();
}

#[test]
fn an_isolator_of_an_image_must_be_signed() {
    let (host, image) = busybox_host();
    let mut layer = Layer::new();
    for entry in fs::read_dir(dist_dir().join("lib/fairing/stage1/nspawn")).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        layer = layer.file(&name, fs::read(entry.path()).unwrap(), 0o755);
    }
    let artifact = ImageBuilder::new().layer(layer).build();
    let isolator = import(&host, &artifact, "isolators/nspawn:1");
    let start = |options: &[&str]| {
        host.fairing(["run", "--rm", "--stage1", &isolator])
            .args(options)
            .args([&image, "--", "/bin/true"])
            .run()
    };
    // The rule for everything accepts what is unsigned, for apps.
    start(&[]).expect_error(115, &[&isolator, "an isolator must be signed"]);
    start(&["--insecure-options=image"]).expect_error(115, &["an isolator must be signed"]);
    let key = Key::generate(&host, "isolators");
    key.trust(&host, "example.com/isolators");
    start(&[]).expect_error(115, &[&isolator, "not signed"]);
    key.sign(&host, &isolator);
    start(&[]).ok();
    let pod = host
        .fairing(["prepare", "--stage1", &isolator, &image, "--", "/bin/true"])
        .run()
        .ok();
    // Its layer stays while the pod may need it.
    host.fairing(["image", "rm", "--force", &isolator])
        .run()
        .ok();
    host.fairing(["image", "gc"]).run().ok();
    host.fairing(["run-prepared", pod.text()]).run().ok();
}
