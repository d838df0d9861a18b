//! Compiles the default seccomp profile, so that no start pays for it.

mod answers;
mod decision_tree;
mod profile;

// What the default filter and those of users are made with alike.
#[path = "../src/seccomp/bpf.rs"]
mod bpf;
#[path = "../src/seccomp/tree.rs"]
mod tree;

use std::error::Error;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::{env, fs};

use seccompiler::{TargetArch, sock_filter};

use self::profile::{Profile, numbers};

// Cargo takes a build script's instructions from its standard output.
#[allow(clippy::print_stdout)]
fn main() -> Result<(), Box<dyn Error>> {
    let profile =
        PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("../dist/seccomp/default.json");
    println!("cargo:rerun-if-changed={}", profile.display());
    println!("cargo:rerun-if-changed=build");
    println!("cargo:rerun-if-changed=src/seccomp/bpf.rs");
    println!("cargo:rerun-if-changed=src/seccomp/tree.rs");
    let text = fs::read(&profile)?;
    let own = TargetArch::try_from(env::var("CARGO_CFG_TARGET_ARCH")?.as_str())?;
    // Each, so that a change can't break one that nobody builds for.
    for arch in [TargetArch::x86_64, TargetArch::aarch64] {
        let filter = filter(&text, arch)?;
        if arch == own {
            write(&filter, &numbers(&text, arch)?)?;
        }
    }
    Ok(())
}

/// The whole filter of an architecture.
fn filter(text: &[u8], arch: TargetArch) -> Result<Vec<sock_filter>, Box<dyn Error>> {
    let mut profile = Profile::compile(text, arch)?;
    let conditional = [profile.filter("invalid")?, profile.filter("conditional")?];
    let (denied, known) = (profile.filter("denied")?, profile.filter("known")?);
    let later = &profile.later;
    Ok(decision_tree::merge(&denied, &known, later, &conditional)?)
}

/// Writes both down as Rust: the filter, and the numbers of system calls by their names.
fn write(filter: &[sock_filter], numbers: &[(String, u32)]) -> Result<(), Box<dyn Error>> {
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
    writeln!(
        source,
        "/// System calls by their names, in the order of these."
    )?;
    writeln!(
        source,
        "pub static NUMBERS: [(&str, u32); {}] = [",
        numbers.len()
    )?;
    for (name, number) in numbers {
        writeln!(source, "    ({name:?}, {number}),")?;
    }
    writeln!(source, "];")?;
    fs::write(
        PathBuf::from(env::var("OUT_DIR")?).join("seccomp.rs"),
        source,
    )?;
    Ok(())
}
