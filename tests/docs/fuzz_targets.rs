//! The list of fuzz targets is complete.

use std::fs;

use crate::sources::{files, top};

#[test]
fn every_fuzz_target_is_listed_and_every_listed_one_exists() {
    let text = fs::read_to_string(top().join("fuzz/README.md")).unwrap();
    let mut listed: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
        .map(|(name, _)| name)
        .collect();
    listed.sort_unstable();
    let files = files(&top().join("fuzz/fuzz_targets"), "rs");
    let names: Vec<&str> = files
        .iter()
        .map(|path| path.file_stem().unwrap().to_str().unwrap())
        .collect();
    assert_eq!(listed, names);
}
