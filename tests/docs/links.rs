//! Links within the repository lead to files and headings that exist.

use std::fs;
use std::path::Path;

use crate::markdown::{anchors, prose, without_code_spans};
use crate::sources::{files, shown, top};

/// The targets of all links.
fn targets(text: &str) -> Vec<String> {
    let prose: Vec<&str> = prose(text).map(|(_, line)| line).collect();
    without_code_spans(&prose.join("\n"))
        .split("](")
        .skip(1)
        .filter_map(|rest| Some(rest.split_once(')')?.0.to_owned()))
        .collect()
}

/// Why a link of `document` leads nowhere, if it does.
fn flaw(document: &Path, text: &str, target: &str) -> Option<String> {
    if target.contains("://") {
        return None;
    }
    let (path, heading) = match target.split_once('#') {
        Some((path, heading)) => (path, Some(heading)),
        None => (target, None),
    };
    let file = document.parent().unwrap().join(path);
    let there = match path {
        "" => text.to_owned(),
        _ if file.is_dir() => return None,
        _ => match fs::read_to_string(&file) {
            Ok(there) => there,
            Err(error) => return Some(format!("{target}: {error}")),
        },
    };
    let heading = heading?;
    (!anchors(&there).iter().any(|anchor| anchor == heading))
        .then(|| format!("{target}: there is no such heading"))
}

#[test]
fn every_link_leads_to_a_file_and_a_heading() {
    let mut flaws = Vec::new();
    for path in files(top(), "md") {
        let text = fs::read_to_string(&path).unwrap();
        for target in targets(&text) {
            if let Some(flaw) = flaw(&path, &text, &target) {
                flaws.push(format!("{}: {flaw}", shown(&path)));
            }
        }
    }
    assert!(flaws.is_empty(), "{}", flaws.join("\n"));
}

#[test]
fn links_that_lead_nowhere_are_found() {
    let readme = top().join("README.md");
    let text =
        "# Here\n[a](#here) [b](#there)\n[c](LICENSE) [d](docs/nothing.md) [e](https://a.io/#b)";
    let found: Vec<bool> = targets(text)
        .iter()
        .map(|target| flaw(&readme, text, target).is_some())
        .collect();
    assert_eq!(found, [false, true, false, true, false]);
}
