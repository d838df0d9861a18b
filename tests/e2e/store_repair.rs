//! A store of which any file is empty, torn, full of zeros or gone: what is damaged never runs, and comes back from the
//! registry by the command that the refusal names.

use std::fs;
use std::path::{Path, PathBuf};

use harness::{Host, ImageBuilder, Layer, Registry};

use crate::power_loss::Damage;

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
    let images = host.data_dir().join("images");
    let mut files = Vec::new();
    walk(&images, &mut files);
    assert!(files.len() > 8, "{files:?}");
    let start = || host.fairing(["run", "--rm", "--pull=never", &reference]).run();
    let mut wrong = Vec::new();
    for file in &files {
        for damage in Damage::ALL {
            if !file.exists() || !damage.changes(file) {
                continue;
            }
            let case = format!("{damage:?} {}", file.strip_prefix(&images).unwrap().display());
            damage.befall(file);
            let refused = start();
            if refused.code == Some(0) {
                if refused.stdout != "good" {
                    wrong.push(format!("{case}: runs\n{refused}"));
                }
            } else {
                // What helps is said.
                let helps = ["verify --re", "fairing fetch"];
                if !helps.iter().any(|help| refused.stderr.contains(help)) {
                    wrong.push(format!("{case}: {refused}"));
                }
            }
            let is_name = file.starts_with(images.join("refs"));
            let remedy: &[&str] = match is_name {
                true => &["fetch", &reference],
                false => &["image", "verify", "--repair", &reference],
            };
            let repaired = host.fairing(remedy).run();
            if repaired.code != Some(0) {
                wrong.push(format!("{case}: {repaired}"));
            }
            let started = start();
            if started.code != Some(0) || started.stdout != "good" {
                wrong.push(format!("{case}, repaired: {started}"));
                host.fairing(["image", "rm", &reference]).run();
                host.fairing(["image", "gc"]).run();
                host.fairing(["fetch", &reference]).run().ok();
            }
        }
    }
    let count = wrong.len();
    assert!(wrong.is_empty(), "{count}:\n{}", wrong.join("\n"));
}
