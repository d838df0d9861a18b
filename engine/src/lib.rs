//! What the command line and the CRI shim share: images are resolved, fetched, verified and picked; pods are
//! prepared, started up to the exec of their isolator, found, talked to, stopped, removed and collected.
//!
//! Everything runs in the calling thread. Nothing is printed: what a caller should know is told to the
//! [`Observer`](observer::Observer) that it passes. Nothing is kept between two calls, and nothing of the process is
//! changed: neither its signal mask, nor its file mode mask, nor the flags of a descriptor, so that any number of
//! threads can start and stop pods beside each other.

mod changes;
pub mod config;
pub mod descriptor_limit;
pub mod devices;
pub mod engine;
pub mod error;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
pub mod images;
pub mod isolators;
pub mod logs;
pub mod machine;
pub mod networks;
pub mod observer;
pub mod pods;
pub mod policy;
pub mod selinux;
pub mod signal_names;
mod sys;
pub mod updates;
pub mod volumes;

pub use self::engine::Engine;
pub use self::error::Error;
