//! Pods: prepared, started, looked at, talked to, stopped and removed.

mod activation;
pub mod apps;
pub mod connection;
pub mod ending;
mod entry_point;
pub mod environment;
mod execution;
mod folder;
mod foreseen;
pub(crate) mod monitor;
mod mounts;
pub mod prepare;
pub mod prepared;
pub mod processes;
pub mod removal;
mod replace;
pub mod signal;
pub mod spec;
pub mod start;
pub mod status;
pub mod stop;
pub mod sweep;
mod traceable;
mod user_namespace;
pub mod view;
pub mod wait;
