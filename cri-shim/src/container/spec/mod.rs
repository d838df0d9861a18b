//! From what is asked of a container to what is asked of an app. A file for each theme; nothing here looks at the machine.

mod capabilities;
mod confinement;
mod devices;
mod field;
mod limit_ranges;
mod limit_words;
mod mount_place;
mod mounts;
mod namespaces;
mod node_limits;
mod process;
mod resources;
mod signal;
mod user;

use std::path::Path;

use engine::pods::spec::{AppSpec, Systemd};
use pod::manifest::{Log, LogDriver};

pub(crate) use self::resources::{in_machine, limits, of_node, told as told_resources};
pub(crate) use self::signal::told as told_signal;

use super::facts::SandboxFacts;
use crate::api::ContainerConfig;
use crate::error::CriError;

/// Puts the app of a container together, but for its image, its name and its record.
///
/// # Errors
/// [`CriError`] if the request makes no sense, or asks for what this runtime doesn't do.
pub(super) fn spec(
    config: &ContainerConfig,
    sandbox: &SandboxFacts<'_>,
) -> Result<AppSpec, CriError> {
    let linux = config.linux.clone().unwrap_or_default();
    let security = linux.security_context.unwrap_or_default();
    let resources = linux.resources.unwrap_or_default();
    let mut spec = AppSpec {
        // Kubernetes decides what is started again, and knows neither.
        systemd: Systemd::Never,
        ..AppSpec::default()
    };
    require_privileges(security.privileged, sandbox)?;
    process::set(config, sandbox, &mut spec)?;
    user::set(&security, &mut spec)?;
    namespaces::set(&security, sandbox, &mut spec)?;
    confinement::set(&security, &mut spec)?;
    mounts::set(&config.mounts, sandbox, security.privileged, &mut spec)?;
    devices::set(
        config,
        security.privileged,
        sandbox.is_in_machine,
        &mut spec,
    )?;
    spec.resources = resources::limits_of_new("config.linux.resources", &resources)?;
    match sandbox.is_in_machine {
        true => spec.resources = resources::in_machine(spec.resources),
        false => resources::of_node("config.linux.resources", &resources)?,
    }
    spec.oom_score_adj = resources::oom_score(&resources);
    spec.stop_signal = signal::wanted(config.stop_signal)?;
    spec.log = Some(log(config, sandbox)?);
    Ok(spec)
}

/// Refuses a privileged container where its sandbox was not asked to be: who may have such a sandbox is decided of that.
fn require_privileges(asked: bool, sandbox: &SandboxFacts<'_>) -> Result<(), CriError> {
    match asked && !sandbox.is_privileged {
        true => Err(CriError::invalid(
            "config.linux.security_context.privileged",
            "the sandbox is not privileged, so no container of it is",
        )),
        false => Ok(()),
    }
}

/// The file of the log: where the sandbox's logs are. Nothing is kept if nobody says where.
fn log(config: &ContainerConfig, sandbox: &SandboxFacts<'_>) -> Result<Log, CriError> {
    let directory = &sandbox.config.log_directory;
    let path = &config.log_path;
    if directory.is_empty() || path.is_empty() {
        return Ok(Log {
            driver: Some(LogDriver::None),
            ..Log::default()
        });
    }
    let is_plain = |part: &str| !matches!(part, "" | "." | "..");
    match path.len() < 4096 && path.split('/').all(is_plain) && !path.contains('\0') {
        true => Ok(Log {
            driver: Some(LogDriver::K8sFile),
            path: Some(Path::new(directory).join(path)),
            ..Log::default()
        }),
        false => Err(CriError::invalid(
            "config.log_path",
            "it is no path below the sandbox's log directory",
        )),
    }
}
