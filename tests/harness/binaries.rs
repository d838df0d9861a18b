//! Where the binaries under test are.

use std::path::{Path, PathBuf};

/// The top of the repository.
pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the tests package lies in the workspace")
        .to_owned()
}

/// The directory that `make build` fills: `$FAIRING_DIST`, or `target/dist`.
///
/// # Panics
/// If the binaries have not been built.
pub fn dist_dir() -> PathBuf {
    existing("FAIRING_DIST", "target/dist", "bin/fairing")
}

/// The `fairing` command under test.
pub fn fairing_binary() -> PathBuf {
    dist_dir().join("bin/fairing")
}

/// The static program that prints what an app sees: `$FAIRING_PROBE`, or `target/tests/probe`.
pub fn probe_binary() -> PathBuf {
    existing("FAIRING_PROBE", "target/tests/probe", "")
}

/// `fairing` on a machine whose virtiofsd is the program in Rust, and not that of QEMU 7.
///
/// # Panics
/// If it has not been built.
pub fn fairing_with_virtiofsd_in_rust() -> PathBuf {
    let program = repository().join("target/tools/bin/virtiofsd");
    assert!(
        program.exists(),
        "{} is missing: run tests/prepare-machine",
        program.display()
    );
    repository().join("tests/virtiofsd-in-rust")
}

fn existing(variable: &str, default: &str, witness: &str) -> PathBuf {
    let path = std::env::var_os(variable).map_or_else(|| repository().join(default), PathBuf::from);
    let witness = if witness.is_empty() {
        path.clone()
    } else {
        path.join(witness)
    };
    assert!(
        witness.exists(),
        "{} is missing: run `make build` first",
        witness.display()
    );
    path
}
