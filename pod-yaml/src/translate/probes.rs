//! Probes and hooks of an app.

use pod::manifest::{
    ExecAction, Header, HookAction, Hooks, HttpGetAction, Probe, ProbeAction, Probes, Scheme,
};

use crate::kubernetes::{Action, Container, Handler, Port, Probe as Asked};
use crate::reading::Error;

pub(super) fn probes(container: &Container) -> Result<Probes, Error> {
    let asked = &container.probes;
    let one = |asked: &Option<Asked>| {
        asked
            .as_ref()
            .map(|asked| probe(asked, container))
            .transpose()
    };
    Ok(Probes {
        startup: one(&asked.startup)?,
        readiness: one(&asked.readiness)?,
        liveness: one(&asked.liveness)?,
    })
}

pub(super) fn hooks(container: &Container) -> Result<Hooks, Error> {
    let asked = &container.lifecycle;
    let one = |asked: &Option<Handler>| {
        asked
            .as_ref()
            .map(|asked| hook(asked, container))
            .transpose()
    };
    Ok(Hooks {
        post_start: one(&asked.post_start)?,
        pre_stop: one(&asked.pre_stop)?,
    })
}

fn probe(asked: &Asked, container: &Container) -> Result<Probe, Error> {
    Ok(Probe {
        action: action(&asked.action, container)?,
        initial_delay_seconds: asked.initial_delay,
        timeout_seconds: asked.timeout,
        period_seconds: asked.period,
        success_threshold: asked.success,
        failure_threshold: asked.failure,
        termination_grace_period_seconds: asked.grace,
    })
}

fn action(asked: &Action, container: &Container) -> Result<ProbeAction, Error> {
    Ok(match asked {
        Action::Exec(args) => ProbeAction::Exec(ExecAction { args: args.clone() }),
        Action::Tcp { port: asked, host } => ProbeAction::TcpSocket {
            port: port(asked, container)?,
            host: *host,
        },
        Action::Grpc { port, service } => ProbeAction::Grpc {
            port: *port,
            service: service.clone(),
        },
        Action::Http {
            port: asked,
            path,
            host,
            is_https,
            headers,
        } => ProbeAction::HttpGet(HttpGetAction {
            port: port(asked, container)?,
            path: path.clone(),
            host: *host,
            scheme: match is_https {
                true => Scheme::Https,
                false => Scheme::Http,
            },
            headers: headers
                .iter()
                .map(|(name, value)| Header {
                    name: name.clone(),
                    value: value.clone(),
                })
                .collect(),
        }),
    })
}

fn hook(asked: &Handler, container: &Container) -> Result<HookAction, Error> {
    let asked = match asked {
        Handler::Sleep(seconds) => return Ok(HookAction::Sleep { seconds: *seconds }),
        Handler::Action(asked) => asked,
    };
    match action(asked, container)? {
        ProbeAction::Exec(exec) => Ok(HookAction::Exec(exec)),
        ProbeAction::HttpGet(get) => Ok(HookAction::HttpGet(get)),
        // The tables of fields let neither through.
        ProbeAction::TcpSocket { .. } | ProbeAction::Grpc { .. } => Err(container
            .place
            .wrong("a hook is a command, a request or a wait")),
    }
}

/// A name of a port counts more than a number in text.
fn port(asked: &Port, container: &Container) -> Result<u16, Error> {
    let mut ports = container.ports.iter();
    if let Some(named) = ports.find(|port| port.name.as_deref() == Some(&asked.text)) {
        return Ok(named.container);
    }
    match asked.text.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(asked.place.wrong(format!(
            "{:?} is neither a port from 1 to 65535 nor the name of one of the container's",
            asked.text
        ))),
    }
}
