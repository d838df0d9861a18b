//! What the environment says, as the stage1 contract has it.

use std::env;
use std::path::PathBuf;

use crate::failure::StartFailure;
use crate::monitor::{Caller, Place};
use pod::activation::ActivationSockets;
use pod::lock::PodLock;
use pod::pods_dir::LockedPod;
use pod::seqpacket::SeqPacket;
use pod::stage1::{
    ENV_CLIENT_FD, ENV_HINT, ENV_LOCK_FD, ENV_MACHINED, ENV_PREPARED, ENV_READY_FD, ENV_RUN_DIR,
    ENV_SERVICE, inherited_fd,
};
use systemd::ServiceManager;

/// A variable of the stage1 contract.
///
/// # Errors
/// If it is not set, or is no text.
pub fn variable(name: &str) -> Result<String, StartFailure> {
    env::var(name).map_err(|e| StartFailure::other(format!("{name} is not usable: {e}")))
}

/// Takes over the pod in the working directory: the entry point `run` begins with it.
///
/// # Errors
/// If what the environment says is not what the contract has.
pub fn adopt() -> Result<(LockedPod, Place), StartFailure> {
    let lock = PodLock::from_inherited(&variable(ENV_LOCK_FD)?)?;
    let place = place()?;
    let folder = env::current_dir().map_err(StartFailure::os("find the pod's directory"))?;
    Ok((LockedPod::adopt(&folder, lock)?, place))
}

/// What the environment says of places and sockets. To be called once, before anything is opened.
///
/// # Errors
/// As [`variable`], and if a descriptor that it names was not inherited.
pub fn place() -> Result<Place, StartFailure> {
    let sockets = ActivationSockets::from_environment()
        .map_err(|error| StartFailure::other(error.to_string()))?;
    let manager = ServiceManager {
        is_main: env::var_os(ENV_SERVICE).is_some(),
        ..ServiceManager::take()
    };
    let ready = env::var(ENV_READY_FD)
        .ok()
        .map(|text| inherited_fd(&text))
        .transpose()?;
    let client = env::var(ENV_CLIENT_FD)
        .ok()
        .map(|text| inherited_fd(&text))
        .transpose()?;
    Ok(Place {
        run_dir: PathBuf::from(variable(ENV_RUN_DIR)?),
        caller: Caller::new(ready, &manager, env::var_os(ENV_MACHINED).is_some()),
        client: client.map(SeqPacket::from_fd),
        hint: env::var(ENV_HINT).ok(),
        was_prepared: env::var_os(ENV_PREPARED).is_some(),
        sockets,
    })
}
