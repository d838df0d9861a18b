//! Which namespaces a container is in. All but that of its processes are its sandbox's.

use engine::pods::spec::AppSpec;

use super::field::SECURITY;
use crate::api::{LinuxContainerSecurityContext, NamespaceMode, NamespaceOption};
use crate::container::facts::{SandboxFacts, Target};
use crate::error::CriError;
use crate::user_namespace;

/// Says it of an app.
pub(super) fn set(
    security: &LinuxContainerSecurityContext,
    sandbox: &SandboxFacts<'_>,
    spec: &mut AppSpec,
) -> Result<(), CriError> {
    let of_sandbox = sandbox.namespaces();
    let asked = security.namespace_options.as_ref().unwrap_or(&of_sandbox);
    require_shared("network", asked.network, of_sandbox.network)?;
    require_shared("ipc", asked.ipc, of_sandbox.ipc)?;
    let users = user_namespace::of(asked.userns_options.as_ref())?;
    if asked.userns_options.is_some() && users.as_ref() != sandbox.users {
        return Err(invalid("userns_options", "it is not the sandbox's"));
    }
    processes(asked, sandbox, &of_sandbox, spec)
}

fn processes(
    asked: &NamespaceOption,
    sandbox: &SandboxFacts<'_>,
    of_sandbox: &NamespaceOption,
    spec: &mut AppSpec,
) -> Result<(), CriError> {
    let is_of_host = mode("pid", of_sandbox.pid)? == NamespaceMode::Node;
    match (mode("pid", asked.pid)?, is_of_host) {
        (NamespaceMode::Pod, false) => {}
        // Nothing is said, or it is the sandbox's: that is the same number.
        (NamespaceMode::Pod, true) => spec.host_processes = true,
        (NamespaceMode::Container, false) => spec.own_processes = true,
        (NamespaceMode::Node, true) => spec.host_processes = true,
        (NamespaceMode::Container, true) => {
            return Err(invalid("pid", "the sandbox has the host's processes"));
        }
        (NamespaceMode::Node, false) => {
            return Err(invalid("pid", "the sandbox has processes of its own"));
        }
        (NamespaceMode::Target, true) => {}
        (NamespaceMode::Target, false) => match sandbox.target {
            Some(Target::OfItsOwn(app)) => spec.processes_of = Some(app.clone()),
            // It has the sandbox's, as every container has that says nothing.
            Some(Target::OfSandbox) => {}
            None => {
                return Err(invalid(
                    "target_id",
                    &format!("the sandbox has no container {:?}", asked.target_id),
                ));
            }
        },
    }
    Ok(())
}

/// A container is in a namespace of its sandbox, whichever that is; who says nothing says `POD`.
fn require_shared(field: &str, asked: i32, of_sandbox: i32) -> Result<(), CriError> {
    let asked = mode(field, asked)?;
    match asked == NamespaceMode::Pod || asked == mode(field, of_sandbox)? {
        true => Ok(()),
        false => Err(invalid(field, "it is not the sandbox's")),
    }
}

fn mode(field: &str, mode: i32) -> Result<NamespaceMode, CriError> {
    NamespaceMode::try_from(mode).map_err(|_| invalid(field, &format!("there is no mode {mode}")))
}

fn invalid(field: &str, reason: &str) -> CriError {
    CriError::invalid(format!("{SECURITY}.namespace_options.{field}"), reason)
}
