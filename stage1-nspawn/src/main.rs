//! The namespace isolator: runs a pod in Linux namespaces and cgroups.
//!
//! `stage1-nspawn run` and `stage1-nspawn gc` are the entry points of the stage1 contract (see the crate
//! `pod`).

mod gc;
mod init_process;
mod isolator;
mod network;
mod run;

use std::env;
use std::path::PathBuf;

use pod::activation::ActivationSockets;
use pod::stage1::{ENV_READY_FD, ENV_RUN_DIR, inherited_fd};
use stage1::failure::StartFailure;
use stage1::monitor::{Place, report_failure};

fn main() {
    let code = match env::args().nth(1).as_deref() {
        Some("run") => run::run(),
        Some("gc") => gc::gc(),
        _ => {
            let usage = "this is an isolator of fairing, which calls it as `stage1-nspawn run|gc`";
            report_failure(None, &StartFailure::other(usage));
            2
        }
    };
    std::process::exit(code);
}

/// A variable of the stage1 contract.
fn variable(name: &str) -> Result<String, StartFailure> {
    env::var(name).map_err(|e| StartFailure::other(format!("{name} is not usable: {e}")))
}

/// What the environment says of places and sockets. To be called once, before anything is opened.
fn place() -> Result<Place, StartFailure> {
    let sockets = ActivationSockets::from_environment()
        .map_err(|error| StartFailure::other(error.to_string()))?;
    let ready = env::var(ENV_READY_FD)
        .ok()
        .map(|text| inherited_fd(&text))
        .transpose()?;
    Ok(Place {
        run_dir: PathBuf::from(variable(ENV_RUN_DIR)?),
        ready,
        sockets,
    })
}
