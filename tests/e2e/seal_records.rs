//! Seals themselves: damaged, missing, of another tree; and what `image verify` makes of a store.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::seal::{host, layer_with, marked, start, verify};
use crate::stocked::{IDLE, IMAGE, detached};

/// Something that is done to a seal, and what a start says of it.
type Damage = (&'static str, fn(&Path));

fn patch(file: &Path, at: usize, bytes: &[u8]) {
    let mut content = fs::read(file).unwrap();
    content[at..at + bytes.len()].copy_from_slice(bytes);
    fs::write(file, content).unwrap();
}

#[test]
fn without_a_whole_seal_a_start_is_refused_until_it_is_sealed_again() {
    let damages: [Damage; 5] = [
        ("missing", |seal| fs::remove_file(seal).unwrap()),
        ("damaged", |seal| {
            let half = seal.metadata().unwrap().len() / 2;
            fs::File::options()
                .write(true)
                .open(seal)
                .unwrap()
                .set_len(half)
                .unwrap();
        }),
        ("damaged", |seal| patch(seal, 200, b"\xff\xfe")),
        ("damaged", |seal| fs::write(seal, "").unwrap()),
        ("of version 9", |seal| patch(seal, 8, &[9])),
    ];
    let host = host("seal");
    for (reason, damage) in damages {
        damage(&layer_with(&host, "data/motd").join("seal"));
        start(&host).expect_error(111, &[IMAGE, "seal", reason, "verify --reseal"]);
        verify(&host, &[IMAGE]).run().expect_code(111);
        verify(&host, &["--reseal", IMAGE])
            .run()
            .ok()
            .expect_stdout("repaired");
        start(&host).ok().expect_stdout("up");
    }
}

#[test]
fn a_copied_store_is_refused_until_it_is_sealed_again() {
    let host = host("full");
    let images = host.data_dir().join("images");
    let copy = host.data_dir().join("copy");
    let copied = Command::new("cp").arg("-a").args([&images, &copy]).status();
    assert!(copied.unwrap().success());
    fs::remove_dir_all(&images).unwrap();
    fs::rename(&copy, &images).unwrap();
    start(&host).expect_error(111, &["copy", "verify --reseal"]);
    verify(&host, &["--reseal", IMAGE]).run().ok();
    start(&host).ok().expect_stdout("up");
    verify(&host, &["--all"]).run().ok().expect_stdout("sound");
}

#[test]
fn what_was_changed_is_not_sealed_again() {
    let host = host("seal");
    let motd = layer_with(&host, "data/motd").join("fs/data/motd");
    fs::write(motd, "HELLO").unwrap();
    verify(&host, &["--reseal", IMAGE])
        .run()
        .expect_code(111)
        .expect_stdout("data/motd");
    start(&host).expect_error(111, &["data/motd"]);
}

#[test]
fn verification_is_told_as_json() {
    let host = host("seal");
    let sound = verify(&host, &["--format", "json", IMAGE])
        .run()
        .ok()
        .json();
    assert_eq!(sound["images"][0]["health"], "sound");
    assert_eq!(sound["images"][0]["reference"], IMAGE);
    assert_eq!(sound["images"][0]["layers"], 3);
    let layer = layer_with(&host, "data/motd");
    fs::write(layer.join("fs/data/motd"), "changed").unwrap();
    fs::write(layer.join("fs/data/new"), "").unwrap();
    let found = verify(&host, &["--format", "json", IMAGE])
        .run()
        .expect_code(111)
        .json();
    let image = &found["images"][0];
    assert_eq!(image["health"], "damaged");
    let problems = image["problems"].as_array().unwrap();
    let paths: Vec<_> = problems.iter().map(|problem| &problem["path"]).collect();
    assert_eq!(paths, ["data/motd", "data/new", "data/other"]);
    let name = layer.file_name().unwrap().to_str().unwrap();
    assert_eq!(problems[0]["object"], format!("layer sha256:{name}"));
}

#[test]
fn verification_of_all_tells_what_does_not_belong() {
    let host = host("seal");
    let stray = host.data_dir().join("images/layers/removed-x");
    fs::write(&stray, "").unwrap();
    let all = verify(&host, &["--all"]).run().ok();
    all.expect_stdout(&format!("stray: {}", stray.display()));
    verify(&host, &[]).run().expect_code(2);
    verify(&host, &["test.example/nothing"])
        .run()
        .expect_code(110);
}

#[test]
fn a_layer_whose_blob_is_gone_comes_from_the_registry_again() {
    let (registry, host, image, reference) = marked();
    let hex = image.layer_digests()[1].replace("sha256:", "");
    let blob = host.data_dir().join("images/blobs/sha256").join(hex);
    fs::remove_file(&blob).unwrap();
    fs::write(layer_with(&host, "mark").join("fs/mark"), "evil").unwrap();
    let run = || host.fairing(["run", "--rm", &reference]).run();
    run().expect_error(111, &["mark"]);
    verify(&host, &[&reference])
        .run()
        .expect_code(111)
        .expect_stdout("mark");
    verify(&host, &["--repair", &reference]).run().ok();
    assert_eq!(run().ok().stdout, "good");
    assert!(blob.exists(), "the blob is kept again");
    // And a blob that is damaged, with nobody to ask.
    let mut bytes = fs::read(&blob).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&blob, bytes).unwrap();
    registry.stop();
    verify(&host, &["--repair", &reference])
        .run()
        .expect_code(111)
        .expect_stdout("can't be restored");
    assert_eq!(run().ok().stdout, "good", "the tree is as it should be");
}

#[test]
fn a_running_pod_keeps_its_layers_during_a_repair() {
    let host = host("seal");
    let pod = detached(&host, &["--name", "busy"], IDLE);
    let file = layer_with(&host, "data/motd").join("fs/data/motd");
    fs::write(&file, "HELLO").unwrap();
    verify(&host, &["--repair", IMAGE])
        .run()
        .expect_code(111)
        .expect_stdout("while pod busy runs with it");
    assert_eq!(fs::read(&file).unwrap(), b"HELLO");
    // What is repaired without replacing files can be repaired beside it.
    let blobs = host.data_dir().join("images/blobs/sha256");
    assert!(blobs.exists());
    host.fairing(["stop", "--force", &pod]).run().ok();
    verify(&host, &["--repair", IMAGE]).run().ok();
    start(&host).ok().expect_stdout("up");
}
