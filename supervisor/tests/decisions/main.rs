//! What the supervisor decides, told as a play: what happens to a pod, and what is done about it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failure here is a failure of a test"
)]

mod ending;
mod hooks;
mod order;
mod probes;
mod properties;
mod readiness;
mod restart_rules;
mod restarts;
mod stage;
