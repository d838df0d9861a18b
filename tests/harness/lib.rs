//! What the end-to-end tests stand on: isolated fairing roots, registries, images and keys.
//!
//! A test makes a [`Host`], which is a fairing of its own: data, run and configuration
//! directories in a temporary directory. It drives the real binary through [`Host::fairing`]. When
//! the host is dropped, what still runs is killed, `fairing gc` runs, and the test fails if
//! anything of that host is left on the machine: a process, a mount, a cgroup, a network
//! namespace, a pod directory.
//!
//! ```no_run
//! use harness::{Host, ImageBuilder, Key, Registry};
//!
//! let registry = Registry::start();
//! let reference = ImageBuilder::busybox().build().push(&registry, "team/busybox:latest");
//! let host = Host::new();
//! let key = Key::generate(&host, "team");
//! key.sign(&host, &reference);
//! key.trust(&host, &registry.name("team"));
//! host.fairing(["run", "--rm", &reference, "--exec", "/bin/true"]).run().ok();
//! ```
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test that cannot go on has failed: a panic with a message is its result"
)]

mod account;
mod activation;
mod api_server;
mod artifact;
mod authority;
mod binaries;
mod command;
mod connect_proxy;
mod control;
mod cri;
mod deadline;
mod debian;
mod directory;
mod fault_proxy;
mod format;
mod guest_kernel;
mod handlers;
mod host;
mod http;
mod http_server;
mod image;
mod initramfs;
mod key;
mod large_store;
mod layer;
mod lease;
mod leftovers;
mod machine;
mod network;
mod output;
mod process;
mod registry;
mod running;
mod scripted_registry;
mod service_machine;
pub mod store_contents;
mod sys;
mod systemd;
mod terminal;
mod token_server;

pub use api_server::{ApiServer, StreamRequest};
pub use artifact::{Artifact, digest_of, index};
pub use authority::{Authority, CertificateFiles, CertificateUse};
pub use binaries::{dist_dir, fairing_binary, fairing_with_virtiofsd_in_rust, probe_binary};
pub use command::FairingCommand;
pub use connect_proxy::ConnectProxy;
pub use control::ControlClient;
pub use cri::Cri;
pub use deadline::{eventually, wait_until};
pub use debian::{debian_image, debian_images_dir};
pub use fault_proxy::{Broken, FaultProxy};
pub use format::Format;
pub use guest_kernel::installed_kernel;
pub use host::{Host, HostBuilder};
pub use http_server::{HttpServer, Request};
pub use image::{Fault, ImageBuilder};
pub use key::{Algorithm, Key};
pub use large_store::LargeStore;
pub use layer::{Compression, Layer};
pub use lease::Lease;
pub use leftovers::{Leftovers, network_namespace_exists};
pub use machine::Machine;
pub use network::Computer;
pub use output::Output;
pub use process::{Process, processes};
pub use registry::{Registry, RegistryBuilder, free_port};
pub use running::Running;
pub use rustix::process::Signal;
pub use scripted_registry::{Answer, ScriptedRegistry};
pub use service_machine::ServiceMachine;
pub use systemd::Systemd;
pub use terminal::Terminal;
pub use token_server::TokenServer;
