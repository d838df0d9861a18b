//! The calls that give URLs. What can be known before anybody comes is refused here.

use cri_streaming::{TokenError, Wanted};
use pod::AppName;

use super::target::{AppTarget, Command};
use crate::api::{
    AttachRequest, AttachResponse, ExecRequest, ExecResponse, PortForwardRequest,
    PortForwardResponse,
};
use crate::container::require_command;
use crate::error::CriError;
use crate::shim::Shim;
use crate::state::{self, Container, ContainerPhase, Sandbox, SandboxPhase};

/// Most ports that one URL leads to.
const PORTS_MAX: usize = 1024;

/// A URL for a command in a container.
pub(crate) fn exec(shim: &Shim, request: ExecRequest) -> Result<ExecResponse, CriError> {
    require_command("cmd", &request.cmd)?;
    let ExecRequest {
        stdin,
        stdout,
        stderr,
        tty,
        ..
    } = request;
    let wanted = Wanted::new(stdin, stdout, stderr, tty)
        .map_err(|error| CriError::invalid("stdin, stdout, stderr, tty", error))?;
    let app = running(shim, &request.container_id, |_| Ok(()))?;
    let command = Command {
        app,
        argv: request.cmd,
    };
    let url = shim.streams.exec(command, wanted).map_err(exhausted)?;
    Ok(ExecResponse { url })
}

/// A URL for the streams of a container.
pub(crate) fn attach(shim: &Shim, request: AttachRequest) -> Result<AttachResponse, CriError> {
    let AttachRequest {
        stdin,
        stdout,
        stderr,
        tty,
        ..
    } = request;
    let wanted = Wanted::new(stdin, stdout, stderr, tty)
        .map_err(|error| CriError::invalid("stdin, stdout, stderr, tty", error))?;
    let app = running(shim, &request.container_id, |container| {
        match container.app.execution.terminal == tty {
            true => Ok(()),
            false => Err(CriError::invalid(
                "tty",
                format!("the container's is {}", container.app.execution.terminal),
            )),
        }
    })?;
    let url = shim.streams.attach(app, wanted).map_err(exhausted)?;
    Ok(AttachResponse { url })
}

/// A URL for ports of a sandbox.
pub(crate) fn port_forward(
    shim: &Shim,
    request: PortForwardRequest,
) -> Result<PortForwardResponse, CriError> {
    let sandbox = state::sandbox(shim, &request.pod_sandbox_id)?;
    if sandbox.phase != SandboxPhase::Ready {
        return Err(CriError::State {
            what: "sandbox",
            id: sandbox.id().to_string(),
            reason: "is not ready".to_owned(),
        });
    }
    if request.port.len() > PORTS_MAX {
        return Err(CriError::invalid(
            "port",
            format!("{} are more than {PORTS_MAX}", request.port.len()),
        ));
    }
    let number = |port: &i32| {
        let number = u16::try_from(*port).ok().filter(|number| *number != 0);
        number.ok_or_else(|| CriError::invalid("port", format!("{port} is no port")))
    };
    let ports = request.port.iter().map(number).collect::<Result<_, _>>()?;
    let url = shim.streams.port_forward(sandbox.entry.clone(), ports);
    let url = url.map_err(exhausted)?;
    Ok(PortForwardResponse { url })
}

/// The app of a container that runs, if nothing is said against it.
fn running(
    shim: &Shim,
    id: &str,
    check: impl FnOnce(Container<'_>) -> Result<(), CriError>,
) -> Result<AppTarget, CriError> {
    let (sandbox, name) = state::container(shim, id)?;
    let not_found = || CriError::NotFound {
        what: "container",
        id: id.to_owned(),
    };
    let container = of_name(&sandbox, &name).ok_or_else(not_found)?;
    if container.phase() != Some(ContainerPhase::Running) {
        return Err(CriError::State {
            what: "container",
            id: id.to_owned(),
            reason: "does not run".to_owned(),
        });
    }
    check(container)?;
    Ok(AppTarget {
        pod: sandbox.entry.clone(),
        app: name.clone(),
    })
}

fn of_name<'a>(sandbox: &'a Sandbox, name: &AppName) -> Option<Container<'a>> {
    let mut containers = sandbox.containers();
    containers.find(|container| container.app.name == *name)
}

fn exhausted(error: TokenError) -> CriError {
    CriError::Exhausted(error.to_string())
}
