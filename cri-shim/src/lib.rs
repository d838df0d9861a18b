//! Kubernetes' Container Runtime Interface, version 1, over pods of fairing.
//!
//! The shim keeps nothing: a sandbox is a pod, a container is an app of it, and what was asked for is written into the pod's
//! manifest. Killed and started again it gives the same answers, and pods never notice.
//!
//! - [`api`]: the interface, as Rust.
//! - `service/`: gRPC. Calls are carried out by threads, by plain functions:
//! - `sandbox/`, `container/`, `image/`: what calls do.
//! - `state/`: what there is, read from disk.
//! - `stats/`, `metrics/`, `events/`: what pods use, and what happens to them.
//! - `streaming/`: commands, attachments, ports.
//! - `identity/`: ids and names; `record`: what is kept of requests.

mod about;
pub mod api;
mod arguments;
mod broken_networks;
mod cgroups;
mod container;
mod disk;
mod error;
mod events;
mod handlers;
mod identity;
mod image;
mod journal;
mod leftovers;
mod listen;
mod machines;
mod metrics;
mod network;
mod record;
mod refusals;
mod sandbox;
mod serve;
mod service;
mod shim;
mod state;
mod stats;
mod streaming;
mod sys;
mod user_namespace;

pub use self::serve::main;
