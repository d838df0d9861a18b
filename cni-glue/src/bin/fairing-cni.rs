//! The built-in networks as a CNI plugin: parameters in the environment, configuration on the standard input, the
//! answer on the standard output.

use std::io::{Read, Write};
use std::process::ExitCode;

/// Longest configuration that is read.
const LONGEST: u64 = 1 << 20;

fn main() -> ExitCode {
    let mut input = Vec::new();
    // What can't be read is no configuration, which the answer says.
    let _ = std::io::stdin().take(LONGEST).read_to_end(&mut input);
    let answer = cni_glue::plugin::answer(&|name| std::env::var(name).ok(), &input);
    match std::io::stdout().write_all(answer.text.as_bytes()) {
        Ok(()) => ExitCode::from(answer.exit_code),
        Err(_) => ExitCode::FAILURE,
    }
}
