//! systemd units of Quadlet files (podman-systemd.unit(5)) and of Pod YAML.
//!
//! [`generate()`] is a function: texts of files in, texts of units and findings out. [`host`] reads the files and writes the
//! units; the binary `fairing-generator` is what systemd calls for it (systemd.generator(7)), `fairing units` shows the same.
//!
//! A file becomes one service. What it asks of an image, a network and so on becomes flags of `fairing run`, by the tables in
//! [`keys`]; each key that means nothing here is an error for that file.

mod finding;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod generate;
pub mod host;
mod index;
mod install;
pub mod keys;
mod name;
mod settings;
mod source;
mod translate;
mod unit;
pub mod unit_file;

pub use finding::{Finding, Severity};
pub use generate::{Generated, generate};
pub use install::Link;
pub use name::{Kind, SourceName};
pub use settings::Settings;
pub use source::{DropIn, Source};
pub use unit::{Argument, Unit};
