//! What apps have written, and what they write from now on.

mod files;
pub mod follow;
pub mod line;
pub mod merge;
