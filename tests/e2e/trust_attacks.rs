//! What somebody may try who can write where they shouldn't, or leads this machine to other files.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::process::Command;

use harness::{Host, Key};

use crate::trust::{rule, run, unsigned};

/// The blobs of a store that hold this text.
fn blobs_with(host: &Host, text: &str) -> Vec<PathBuf> {
    let folder = host.data_dir().join("images/blobs/sha256");
    let blobs = fs::read_dir(folder)
        .unwrap()
        .map(|blob| blob.unwrap().path());
    blobs
        .filter(|blob| String::from_utf8_lossy(&fs::read(blob).unwrap()).contains(text))
        .collect()
}

#[test]
fn a_signature_that_was_replaced_in_the_store_is_noticed() {
    for (format, text) in [
        ("--format=simple", "cosign container image signature"),
        ("--format=bundle", "dsseEnvelope"),
    ] {
        let (registry, host, image) = unsigned();
        let key = Key::generate(&host, "team");
        key.trust(&host, &registry.name("team"));
        host.fairing(["image", "sign", format, "--key"])
            .arg(key.private())
            .arg(&image)
            .run()
            .ok();
        run(&host, &image).ok();
        registry.stop();
        let blobs = blobs_with(&host, text);
        assert!(!blobs.is_empty(), "{format}");
        for blob in blobs {
            let changed = fs::read_to_string(&blob).unwrap().replacen('"', "\" ", 1);
            fs::write(&blob, changed).unwrap();
        }
        let refused = run(&host, &image);
        assert!(matches!(refused.code, Some(111 | 115 | 116)), "{refused}");
    }
}

#[test]
fn a_key_that_others_may_write_is_not_trusted() {
    let (registry, host, image) = unsigned();
    let key = Key::generate(&host, "team");
    key.sign(&host, &image);
    for mode in [0o664, 0o646] {
        fs::set_permissions(key.public(), Permissions::from_mode(mode)).unwrap();
        host.fairing(["trust", "add", "--yes", "--prefix", &registry.name("team")])
            .arg(key.public())
            .run()
            .expect_error(125, &["users other than its owner may write to it"]);
    }
    run(&host, &image).expect_code(115);
}

#[test]
fn rules_that_others_may_write_stop_every_start() {
    let (_registry, host, image) = unsigned();
    host.accept_unsigned();
    run(&host, &image).ok();
    let folder = host.local_config().join("trust.d");
    let file = folder.join("tests.toml");
    for (path, mode) in [(&file, 0o666), (&file, 0o664), (&folder, 0o777)] {
        let before = fs::metadata(path).unwrap().permissions();
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        run(&host, &image).expect_error(125, &["users other than root may write to it"]);
        fs::set_permissions(path, before).unwrap();
    }
    run(&host, &image).ok();
    // A link could lead to what somebody else may write.
    let elsewhere = host.base().join("elsewhere.toml");
    fs::rename(&file, &elsewhere).unwrap();
    symlink(&elsewhere, &file).unwrap();
    run(&host, &image).expect_error(125, &["it is a symbolic link"]);
}

#[test]
fn a_policy_file_torn_anywhere_lets_nothing_more_run() {
    let (registry, host, image) = unsigned();
    let (first, second) = (
        Key::generate(&host, "first"),
        Key::generate(&host, "second"),
    );
    host.fairing(["trust", "add", "--yes", "--threshold=2", "--prefix"])
        .arg(registry.name("team"))
        .args([first.public(), second.public()])
        .run()
        .ok();
    // One signature, where the rule as a whole wants two.
    first.sign(&host, &image);
    run(&host, &image).expect_code(116);
    let folder = host.local_config().join("trust.d");
    let entry = fs::read_dir(&folder).unwrap().next().unwrap().unwrap();
    let whole = fs::read(entry.path()).unwrap();
    for length in (0..whole.len()).step_by(29) {
        fs::write(entry.path(), &whole[..length]).unwrap();
        let refused = run(&host, &image);
        let refused_as = matches!(refused.code, Some(115 | 116 | 125));
        assert!(refused_as, "torn at {length}: {refused}");
    }
}

#[test]
fn a_store_from_another_machine_brings_no_trust() {
    let (registry, host, image) = unsigned();
    host.accept_unsigned();
    run(&host, &image).ok();
    registry.stop();
    let other = Host::new();
    let copied = Command::new("cp")
        .arg("-a")
        .arg(host.data_dir().join("images"))
        .arg(other.data_dir())
        .status()
        .unwrap();
    assert!(copied.success());
    run(&other, &image).expect_error(115, &[&image, "no trust rule covers"]);
    let key = Key::generate(&other, "team");
    let prefix = image.rsplit_once('/').unwrap().0;
    key.trust(&other, prefix);
    run(&other, &image).expect_error(115, &[&image, "not signed"]);
    other.write_policy(
        "zz.toml",
        &rule(image.rsplit_once(':').unwrap().0, "type = \"reject\""),
    );
    run(&other, &image).expect_error(115, &[&image]);
}
