//! Rust from the interface's definition, without a compiler of another language.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto");
    let interface = protox::compile(["runtime/v1/service.proto"], ["proto"])?;
    // Requests are kept as records, as they came: what a kubelet wants to be told again, it is told again.
    let records = "#[derive(serde::Serialize, serde::Deserialize)]";
    tonic_prost_build::configure()
        .build_transport(false)
        .generate_default_stubs(true)
        .btree_map(".")
        .type_attribute(".", records)
        .message_attribute(".", "#[serde(default)]")
        .compile_fds(interface)?;
    Ok(())
}
