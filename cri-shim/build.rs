//! Rust from the interface's definition, without a compiler of another language.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto");
    let interface = protox::compile(["runtime/v1/service.proto"], ["proto"])?;
    tonic_prost_build::configure()
        .build_transport(false)
        .generate_default_stubs(true)
        .compile_fds(interface)?;
    Ok(())
}
