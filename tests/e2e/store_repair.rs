//! A store of which any file is empty, torn, full of zeros or gone: what is damaged never runs, and comes back from the
//! registry by the command that the refusal names.

use std::fs;
use std::path::{Path, PathBuf};

use harness::Output;

use crate::power_loss::Damage;
use crate::seal::marked;

/// All files below a directory, of a layer's tree only the test's own.
fn walk(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let metadata = fs::symlink_metadata(&path).unwrap();
        if path.ends_with("fs") {
            let mark = path.join("mark");
            files.extend(mark.exists().then_some(mark));
        } else if metadata.is_dir() {
            walk(&path, files);
        } else if metadata.is_file() {
            files.push(path);
        }
    }
}

#[test]
fn every_file_of_an_image_comes_back_from_its_registry() {
    let (_registry, host, _, reference) = marked();
    let images = host.data_dir().join("images");
    let mut files = Vec::new();
    walk(&images, &mut files);
    assert!(files.len() > 8, "{files:?}");
    let start = || {
        let run = ["run", "--rm", "--pull=never", &reference];
        host.fairing(run).run()
    };
    let mut wrong = Vec::new();
    for file in &files {
        let is_name = file.starts_with(images.join("refs"));
        for damage in Damage::ALL {
            let name = file.strip_prefix(&images).unwrap().display();
            let case = format!("{damage:?} {name}");
            for by_repair in [false, true] {
                if !file.exists() || !damage.changes(file) {
                    continue;
                }
                damage.befall(file);
                let refused = start();
                // What isn't needed to run may be missing: compressed layers.
                if refused.code == Some(0) && refused.stdout != "good" {
                    wrong.push(format!("{case}: runs: {refused}"));
                }
                let remedies: Vec<Vec<&str>> = match by_repair && !is_name {
                    true => vec![vec!["image", "verify", "--repair", &reference]],
                    false => told(&refused, &reference),
                };
                if remedies.is_empty() && refused.code != Some(0) {
                    wrong.push(format!("{case}: tells of no remedy: {refused}"));
                }
                for remedy in remedies {
                    let done = host.fairing(remedy).run();
                    if done.code != Some(0) {
                        wrong.push(format!("{case}: {done}"));
                    }
                }
                let started = start();
                if started.code != Some(0) || started.stdout != "good" {
                    wrong.push(format!("{case}, repaired: {started}"));
                }
                // What comes next begins with a whole one.
                host.fairing(["image", "rm", &reference]).run();
                host.fairing(["image", "gc"]).run();
                host.fairing(["fetch", &reference]).run().ok();
            }
        }
    }
    let count = wrong.len();
    assert!(wrong.is_empty(), "{count}:\n{}", wrong.join("\n"));
}

/// The commands that a refusal names.
fn told<'a>(refused: &Output, reference: &'a str) -> Vec<Vec<&'a str>> {
    let says = |words: &str| refused.stderr.contains(words);
    let verify = |flag| vec!["image", "verify", flag, reference];
    let fetch = vec!["fetch", reference];
    if says("remove the image and fetch it again") {
        vec![vec!["image", "rm", reference], fetch]
    } else if says("fetch the image again") || says("`fairing fetch ") {
        vec![fetch]
    } else if says("--reseal") {
        vec![verify("--reseal")]
    } else if says("--repair") {
        vec![verify("--repair")]
    } else {
        Vec::new()
    }
}
