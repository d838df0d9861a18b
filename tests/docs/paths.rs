//! Paths of the repository that the documents name exist.

use std::fs;
use std::path::Path;

use crate::markdown::{code_spans, prose};
use crate::sources::{files, shown, top};

/// The names of the directories at the top.
fn rooms(top: &Path) -> Vec<String> {
    let entries = fs::read_dir(top).unwrap().map(Result::unwrap);
    entries
        .filter(|entry| entry.file_type().unwrap().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .filter(|name| !name.starts_with('.') && name != "target")
        .collect()
}

/// Whether what stands in code is a path of the repository: it begins with one of its rooms, and has nothing that
/// stands for something else.
fn is_path(span: &str, rooms: &[String]) -> bool {
    let plain = |character: char| character.is_ascii_alphanumeric() || "/_-.".contains(character);
    let room = span
        .split_once('/')
        .is_some_and(|(room, _)| rooms.iter().any(|name| name == room));
    room && span.chars().all(plain) && span.chars().any(|character| character.is_ascii_lowercase())
}

#[test]
fn every_path_that_a_document_names_exists() {
    let rooms = rooms(top());
    let mut missing = Vec::new();
    for document in files(top(), "md") {
        let text = fs::read_to_string(&document).unwrap();
        let prose: Vec<&str> = prose(&text).map(|(_, line)| line).collect();
        for span in code_spans(&prose.join("\n")).filter(|span| is_path(span, &rooms)) {
            if !top().join(span).exists() {
                missing.push(format!("{}: {span}", shown(&document)));
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn a_path_is_told_from_other_code() {
    let rooms = ["stage0".to_owned(), "trust".to_owned()];
    let found = [
        "stage0/src/main.rs",
        "trust/",
        "stage0",
        "/etc/trust/x",
        "trust/*.toml",
        "images/lock",
    ]
    .map(|span| is_path(span, &rooms));
    assert_eq!(found, [true, true, false, false, false, false]);
}
