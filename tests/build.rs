//! Finds programs that some tests need and that not every machine has: without them those tests
//! are counted as ignored, with the reason, and not as passed.
#![allow(
    clippy::print_stdout,
    reason = "a build script talks to cargo by its standard output"
)]

use std::env;
use std::path::{Path, PathBuf};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=FAIRING_COSIGN");
    println!("cargo::rerun-if-env-changed=PATH");
    println!(
        "cargo::rustc-check-cfg=cfg(cosign, kubectl, python3_kubernetes, skopeo_with_gpg, zsh, fish)"
    );
    let path = env::var_os("PATH").unwrap_or_default();
    let in_path = |name: &str| {
        env::split_paths(&path)
            .map(|folder| folder.join(name))
            .find(|program| program.is_file())
    };
    for program in ["zsh", "fish", "kubectl"] {
        if in_path(program).is_some() {
            println!("cargo::rustc-cfg={program}");
        }
    }
    let named = env::var_os("FAIRING_COSIGN").map(PathBuf::from);
    if let Some(program) = named.or_else(|| in_path("cosign")) {
        println!("cargo::rustc-cfg=cosign");
        println!("cargo::rustc-env=FAIRING_COSIGN={}", program.display());
    }
    let client = "/usr/lib/python3/dist-packages/kubernetes/stream/ws_client.py";
    println!("cargo::rerun-if-changed={client}");
    if Path::new(client).is_file() {
        println!("cargo::rustc-cfg=python3_kubernetes");
    }
    let with_gpg = ["skopeo", "gpg", "gpgconf", "gpg-agent"];
    if with_gpg.iter().all(|name| in_path(name).is_some()) {
        println!("cargo::rustc-cfg=skopeo_with_gpg");
    }
}
