//! `fairing-cri`: see the library of this crate.

use std::process::ExitCode;

fn main() -> ExitCode {
    cri_shim::main()
}
