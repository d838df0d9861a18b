//! Kubernetes' pods in YAML: what they ask of fairing, and pods as YAML again.
//!
//! Nothing here reads a file or looks at the machine: who asks gives texts and [`Facts`]. Each field that there is has a row
//! in the tables of [`schema`], with what becomes of it; whatever else a file says is an error, with its line.

mod generate;
mod kubernetes;
mod reading;
pub mod schema;
mod translate;

#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;

pub use self::generate::{Generated, generate};
pub use self::reading::{Error, Finding};
pub use self::translate::{ClaimPlan, Facts, Login, Named, PodPlan, Pods, Source, named, pods};

#[cfg(test)]
mod tests;
