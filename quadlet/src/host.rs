//! The shell around [`crate::generate()`]: files are read, and units written.

mod configured;
mod journal;
mod regular;
mod search;
mod write;

pub use configured::quadlet_directories;
pub use journal::tell;
pub use search::{Directory, Found, directories, one_file, search};
pub use write::write;
