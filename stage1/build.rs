//! Compiles the default seccomp profile, so that no start pays for it.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::{env, fs};

use seccompiler::{BpfProgram, TargetArch, compile_from_json};

fn main() -> Result<(), Box<dyn Error>> {
    let profile = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("../dist/seccomp/default.json");
    println!("cargo:rerun-if-changed={}", profile.display());
    let arch = TargetArch::try_from(env::var("CARGO_CFG_TARGET_ARCH")?.as_str())?;
    let filters = compile_from_json(fs::read(&profile)?.as_slice(), arch)?;
    let filters: BTreeMap<String, BpfProgram> = filters.into_iter().collect();
    let mut source = String::new();
    for (name, program) in filters {
        writeln!(source, "/// The filter `{name}`.")?;
        let constant = name.to_uppercase();
        writeln!(source, "pub static {constant}: [libc::sock_filter; {}] = [", program.len())?;
        for step in program {
            let (code, jt, jf, k) = (step.code, step.jt, step.jf, step.k);
            writeln!(source, "    libc::sock_filter {{ code: {code}, jt: {jt}, jf: {jf}, k: {k} }},")?;
        }
        writeln!(source, "];")?;
    }
    fs::write(PathBuf::from(env::var("OUT_DIR")?).join("seccomp.rs"), source)?;
    Ok(())
}
