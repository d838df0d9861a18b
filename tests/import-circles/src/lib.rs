//! Finds the files of a crate that import each other in a circle: no one of them can be read, tested or moved
//! without all the others.
//!
//! What counts is what the compiler sees outside of tests: `use`, and paths within code, attributes and calls of
//! macros. A name counts for the file that defines it, however many `pub use` it comes through; a module that is
//! declared (`mod x;`) is not imported by that. Methods count for nothing, since no path names their file.

mod attributes;
mod circle;
mod error;
mod graph;
mod mention;
mod module;
mod package;
mod resolve;

use std::path::Path;

pub use circle::Circle;
pub use error::Error;
pub use graph::Import;
pub use package::{Package, Target, packages};

/// The circles among the files of the crate whose root is `root` (a `lib.rs`, a `main.rs`).
///
/// # Errors
/// A file of the crate that can't be read or isn't Rust.
pub fn circles(root: &Path) -> Result<Vec<Circle>, Error> {
    let tree = module::Tree::read(root)?;
    Ok(circle::find(&graph::imports(&tree)))
}

#[cfg(test)]
mod tests;
