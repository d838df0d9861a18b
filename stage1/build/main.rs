//! Compiles the default seccomp profile, so that no start pays for it.

mod bpf;
mod decision_tree;

use std::error::Error;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::{env, fs};

use seccompiler::{TargetArch, compile_from_json};

// Cargo takes a build script's instructions from its standard output.
#[allow(clippy::print_stdout)]
fn main() -> Result<(), Box<dyn Error>> {
    let profile =
        PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("../dist/seccomp/default.json");
    println!("cargo:rerun-if-changed={}", profile.display());
    println!("cargo:rerun-if-changed=build");
    let arch = TargetArch::try_from(env::var("CARGO_CFG_TARGET_ARCH")?.as_str())?;
    let mut parts = compile_from_json(fs::read(&profile)?.as_slice(), arch)?;
    let mut part = |name: &str| {
        parts
            .remove(name)
            .ok_or_else(|| format!("the profile has no part `{name}`"))
    };
    let filter = decision_tree::merge(&part("denied")?, &part("known")?, &part("conditional")?)?;
    let mut source = String::new();
    writeln!(source, "/// The default filter.")?;
    writeln!(
        source,
        "pub static DEFAULT: [libc::sock_filter; {}] = [",
        filter.len()
    )?;
    for step in filter {
        let (code, jt, jf, k) = (step.code, step.jt, step.jf, step.k);
        writeln!(
            source,
            "    libc::sock_filter {{ code: {code}, jt: {jt}, jf: {jf}, k: {k} }},"
        )?;
    }
    writeln!(source, "];")?;
    fs::write(
        PathBuf::from(env::var("OUT_DIR")?).join("seccomp.rs"),
        source,
    )?;
    Ok(())
}
