//! Tests of the documents: what they name exists, and they stay short enough to be read.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed: a panic with a message is its result"
)]

mod attacks;
mod fuzz_targets;
mod layout;
mod links;
mod markdown;
mod paths;
mod sources;
