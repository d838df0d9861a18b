//! Every fuzz target is replayed by an ordinary test, and told of where one looks for it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &str) -> String {
    fs::read_to_string(repository().join(path)).unwrap()
}

/// What is in a directory, by name without extension.
fn names(directory: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(repository().join(directory)).unwrap();
    let stem = |path: PathBuf| path.file_stem().unwrap().to_str().unwrap().to_owned();
    entries.map(|entry| stem(entry.unwrap().path())).collect()
}

/// All files `fuzzing.rs` below a directory.
fn bodies(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            bodies(&path, found);
        } else if path.ends_with("fuzzing.rs") {
            found.push(path);
        }
    }
}

/// The targets that some crate's tests replay: by a call for each, or by the lines `NAME: MUTATIONS,` of a
/// `targets!`.
fn replayed() -> BTreeSet<String> {
    let mut files = Vec::new();
    let directories = |directory: &Path| {
        let entries = fs::read_dir(directory).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        paths.filter(|path| path.is_dir()).collect::<Vec<_>>()
    };
    for directory in directories(&repository()) {
        // Some crates lie within others' directories.
        for sources in directories(&directory) {
            match sources.join("src") {
                inner if inner.is_dir() => bodies(&inner, &mut files),
                _ if sources.ends_with("src") => bodies(&sources, &mut files),
                _ => {}
            }
        }
    }
    let mut found = BTreeSet::new();
    for file in files {
        let text = fs::read_to_string(file).unwrap();
        let calls = text.split("replay::replay(\"").skip(1);
        found.extend(calls.filter_map(|call| Some(call.split_once('"')?.0.to_owned())));
        if let Some((_, list)) = text.split_once("replay::targets! {") {
            let list = list.split('}').next().unwrap_or_default();
            let names = list.lines().filter_map(|line| line.trim().split_once(':'));
            let names = names.filter(|(name, _)| *name != "seeds");
            found.extend(names.map(|(name, _)| name.to_owned()));
        }
    }
    found
}

#[test]
fn every_fuzz_target_is_replayed_and_no_other() {
    assert_eq!(names("fuzz/fuzz_targets"), replayed());
}

#[test]
fn every_fuzz_target_has_a_corpus_and_no_corpus_is_without_one() {
    assert_eq!(names("fuzz/fuzz_targets"), names("fuzz/corpus"));
    for name in names("fuzz/corpus") {
        assert!(!names(&format!("fuzz/corpus/{name}")).is_empty(), "{name}");
    }
}

#[test]
fn every_fuzz_target_is_built_and_described() {
    let (manifest, readme) = (read("fuzz/Cargo.toml"), read("fuzz/README.md"));
    for name in names("fuzz/fuzz_targets") {
        let path = format!("path = \"fuzz_targets/{name}.rs\"");
        assert!(manifest.contains(&path), "{name} is not in fuzz/Cargo.toml");
        let row = format!("| `{name}` |");
        assert!(readme.contains(&row), "{name} is not in fuzz/README.md");
        let body = read(&format!("fuzz/fuzz_targets/{name}.rs"));
        let call = format!("::fuzzing::{name}(data)");
        assert!(body.contains(&call), "{name} runs something else");
    }
}
