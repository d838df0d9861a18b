//! Layers that were changed in the store are found by the next start.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use harness::{Artifact, FairingCommand, Host, ImageBuilder, Layer, Output, Registry};

use crate::stocked::{IMAGE, host_with, shell};

/// Something that is done to the root of a layer, and the path that a start has to name.
type Change = (&'static str, fn(&Path));

/// A host whose rule wants this integrity, with an image that has one of everything on top.
pub(crate) fn host(integrity: &str) -> Host {
    let below = Layer::new()
        .file("hidden", "below", 0o644)
        .file("folder/below", "x", 0o644);
    let top = Layer::new()
        .file("data/motd", "hello", 0o644)
        .hardlink("data/other", "data/motd")
        .symlink("data/link", "motd")
        .file("program", "#!/bin/sh\n", 0o755)
        .whiteout("hidden")
        .folder("folder", 0o755)
        .opaque("folder");
    let host = host_with(ImageBuilder::busybox().layer(below).layer(top));
    wants(&host, integrity);
    host
}

/// Writes the rule anew, with this integrity.
fn wants(host: &Host, integrity: &str) {
    let rule = format!(
        "[[rule]]\nprefix = \"*\"\nintegrity = \"{integrity}\"\ntype = \"accept-unsigned\"\n"
    );
    host.write_policy("tests.toml", &rule);
}

/// A host with an image from a registry, which says what its file `/mark` says.
pub(crate) fn marked() -> (Registry, Host, Artifact, String) {
    let registry = Registry::start();
    let host = Host::new();
    host.accept_unsigned();
    let mark = Layer::new().file("mark", "good", 0o644);
    let image = ImageBuilder::busybox()
        .layer(mark)
        .cmd(["/bin/cat", "/mark"])
        .build();
    let reference = image.push(&registry, "team/image:1");
    host.fairing(["fetch", &reference]).run().ok();
    (registry, host, image, reference)
}

/// The directory of the layer whose tree has this path.
pub(crate) fn layer_with(host: &Host, path: &str) -> PathBuf {
    let layers = fs::read_dir(host.data_dir().join("images/layers")).unwrap();
    let mut layers = layers.map(|entry| entry.unwrap().path());
    layers
        .find(|layer| layer.join("fs").join(path).symlink_metadata().is_ok())
        .expect("a layer with that path")
}

pub(crate) fn start(host: &Host) -> Output {
    shell(host, "echo up").run()
}

pub(crate) fn verify(host: &Host, flags: &[&str]) -> FairingCommand {
    host.fairing(["image", "verify"]).args(flags)
}

/// Gives a file other content of the same size, and its modification time back.
fn rewrite(file: &Path) {
    let before = file.metadata().unwrap().modified().unwrap();
    let content = fs::read(file).unwrap().to_ascii_uppercase();
    fs::write(file, content).unwrap();
    let times = fs::FileTimes::new().set_modified(before);
    let open = fs::File::options().write(true).open(file).unwrap();
    open.set_times(times).unwrap();
}

fn setfattr(path: &Path, arguments: &[&str]) {
    let done = Command::new("setfattr").args(arguments).arg(path).status();
    assert!(done.expect("setfattr").success());
}

const CHANGES: [Change; 12] = [
    ("data/motd", |root| rewrite(&root.join("data/motd"))),
    ("program", |root| {
        let mode = Permissions::from_mode(0o4755);
        fs::set_permissions(root.join("program"), mode).unwrap();
    }),
    ("program", |root| {
        chown(root.join("program"), Some(1), None).unwrap()
    }),
    ("program", |root| {
        setfattr(&root.join("program"), &["-n", "user.x", "-v", "y"])
    }),
    ("data/link", |root| {
        fs::remove_file(root.join("data/link")).unwrap();
        symlink("MOTD", root.join("data/link")).unwrap();
    }),
    ("data/new", |root| {
        fs::write(root.join("data/new"), "x").unwrap()
    }),
    ("data/other", |root| {
        fs::remove_file(root.join("data/other")).unwrap()
    }),
    ("program", |root| {
        fs::rename(root.join("program"), root.join("renamed")).unwrap()
    }),
    ("folder", |root| {
        fs::remove_dir_all(root.join("folder")).unwrap()
    }),
    // What the layers below have would be seen again.
    ("hidden", |root| {
        fs::remove_file(root.join("hidden")).unwrap()
    }),
    ("folder", |root| {
        setfattr(&root.join("folder"), &["-x", "trusted.overlay.opaque"])
    }),
    ("\"opaque\"", |root| {
        fs::write(root.join("../opaque"), "").unwrap()
    }),
];

#[track_caller]
fn every_change_is_refused_and_repaired(integrity: &str) {
    let host = host(integrity);
    start(&host).expect_stdout("up");
    for (path, change) in CHANGES {
        change(&layer_with(&host, "data/motd").join("fs"));
        start(&host).expect_error(111, &[IMAGE, "layer sha256:", path, "verify --repair"]);
        verify(&host, &[IMAGE])
            .run()
            .expect_code(111)
            .expect_stdout(path);
        verify(&host, &["--repair", IMAGE])
            .run()
            .ok()
            .expect_stdout("repaired");
        start(&host).ok().expect_stdout("up");
        verify(&host, &[IMAGE]).run().ok().expect_stdout("sound");
    }
    assert!(host.pod_folders().iter().all(|(phase, _)| phase != "run"));
}

#[test]
fn every_change_of_a_layer_is_refused_with_its_path_and_can_be_repaired() {
    every_change_is_refused_and_repaired("seal");
}

#[test]
fn every_change_of_a_layer_is_refused_where_all_is_read_too() {
    every_change_is_refused_and_repaired("full");
}

#[test]
fn a_rule_can_do_without() {
    let host = host("off");
    for (_, change) in CHANGES {
        // Some need what an earlier one took away.
        let root = layer_with(&host, "data/motd").join("fs");
        if root.join("folder").exists() && root.join("program").exists() {
            change(&root);
        }
    }
    start(&host).ok().expect_stdout("up");
    let seal = layer_with(&host, "data/motd").join("seal");
    fs::remove_file(seal).unwrap();
    start(&host).ok().expect_stdout("up");
    // The rule of now decides.
    wants(&host, "seal");
    start(&host).expect_code(111);
}

#[test]
fn a_prepared_pod_is_checked_when_it_starts() {
    let host = host("seal");
    let prepared = host
        .fairing(["prepare", IMAGE, "--", "/bin/true"])
        .run()
        .ok();
    rewrite(&layer_with(&host, "data/motd").join("fs/data/motd"));
    let refused = host.fairing(["run-prepared", prepared.text()]).run();
    refused.expect_error(111, &["data/motd"]);
    verify(&host, &["--repair", IMAGE]).run().ok();
    host.fairing(["run-prepared", "--rm", prepared.text()])
        .run()
        .ok();
}

#[test]
fn what_apps_do_leaves_their_layers_as_they_were() {
    let host = host("full");
    let before = layer_with(&host, "data/motd")
        .join("fs/data/motd")
        .metadata()
        .unwrap();
    let script = "
        cat /data/motd /data/other > /dev/null
        echo more >> /data/motd
        chmod 600 /program && chown 5:5 /data/other && mv /data/link /data/moved
        ln /program /data/linked && rm -r /folder && mkdir /folder && touch /hidden
        rm -r /data && echo up";
    for _ in 0..2 {
        shell(&host, script).run().ok().expect_stdout("up");
    }
    let after = layer_with(&host, "data/motd")
        .join("fs/data/motd")
        .metadata()
        .unwrap();
    assert_eq!(
        (before.ctime(), before.ctime_nsec()),
        (after.ctime(), after.ctime_nsec())
    );
    verify(&host, &["--all"]).run().ok();
}
