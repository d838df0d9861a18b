//! Sizes and line lengths.

use std::fs;

use crate::sources::{files, shown, top};

/// Columns that a line may have.
const COLUMNS: usize = 100;

#[test]
fn the_readme_and_the_architecture_stay_short() {
    for (name, most) in [("README.md", 8_000), ("ARCHITECTURE.md", 15_000)] {
        let size = fs::metadata(top().join(name)).unwrap().len();
        assert!(size <= most, "{name} has {size} bytes, {most} at most");
    }
}

#[test]
fn no_line_of_a_document_is_too_long() {
    let mut long = Vec::new();
    for path in files(top(), "md") {
        let text = fs::read_to_string(&path).unwrap();
        for (number, line) in (1..).zip(text.lines()) {
            let columns = line.chars().count();
            if columns > COLUMNS {
                long.push(format!("{}:{number}: {columns} columns", shown(&path)));
            }
        }
    }
    assert!(long.is_empty(), "{}", long.join("\n"));
}
