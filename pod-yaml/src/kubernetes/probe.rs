//! Probes and hooks.

use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU32;

use pod::signal::SignalNumber;
use yaml::{Kind, Value};

use crate::reading::{At, Error, Object, Place};
use crate::schema::{
    EXEC, GRPC, HANDLER, HTTP_GET, HTTP_HEADER, LIFECYCLE, PROBE, SLEEP, TCP_SOCKET,
};

/// The probes of a container.
#[derive(Debug, Clone, Default)]
pub(crate) struct Probes {
    pub(crate) startup: Option<Probe>,
    pub(crate) readiness: Option<Probe>,
    pub(crate) liveness: Option<Probe>,
}

/// A probe.
#[derive(Debug, Clone)]
pub(crate) struct Probe {
    pub(crate) action: Action,
    pub(crate) initial_delay: u32,
    pub(crate) timeout: NonZeroU32,
    pub(crate) period: NonZeroU32,
    pub(crate) success: NonZeroU32,
    pub(crate) failure: NonZeroU32,
    pub(crate) grace: Option<NonZeroU32>,
}

/// What is asked or done.
#[derive(Debug, Clone)]
pub(crate) enum Action {
    Exec(Vec<String>),
    Http {
        port: Port,
        path: String,
        host: Option<IpAddr>,
        is_https: bool,
        headers: Vec<(String, String)>,
    },
    Tcp {
        port: Port,
        host: Option<IpAddr>,
    },
    Grpc {
        port: u16,
        service: String,
    },
}

/// A port, by number or name.
#[derive(Debug, Clone)]
pub(crate) struct Port {
    pub(crate) place: Place,
    pub(crate) text: String,
}

/// What is done around a container's start and end.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lifecycle {
    pub(crate) post_start: Option<Handler>,
    pub(crate) pre_stop: Option<Handler>,
    pub(crate) stop_signal: Option<SignalNumber>,
}

/// What a hook does.
#[derive(Debug, Clone)]
pub(crate) enum Handler {
    Action(Action),
    Sleep(u32),
}

impl Probes {
    pub(crate) fn read(container: &Object<'_>) -> Result<Self, Error> {
        let readiness = container.read("readinessProbe", Probe::read)?;
        if let Some(at) = container.get("readinessProbe")
            && readiness
                .as_ref()
                .is_some_and(|probe| probe.grace.is_some())
        {
            return Err(at.wrong(
                "terminationGracePeriodSeconds is not for readiness: nothing is ended by it",
            ));
        }
        let once = |name: &str| {
            container.read(name, |at| {
                let probe = Probe::read(at)?;
                match probe.success.get() {
                    1 => Ok(probe),
                    _ => Err(at.wrong("successThreshold has to be 1")),
                }
            })
        };
        Ok(Self {
            startup: once("startupProbe")?,
            readiness,
            liveness: once("livenessProbe")?,
        })
    }
}

impl Probe {
    fn read(at: &At<'_>) -> Result<Self, Error> {
        let object = at.object(&PROBE)?;
        let number = |name: &str, usual: u32| {
            let given = object.read(name, |at| {
                let number = at.number::<u32>()?;
                NonZeroU32::new(number).ok_or_else(|| at.wrong("it has to be 1 at least"))
            })?;
            Ok::<_, Error>(given.or(NonZeroU32::new(usual)))
        };
        let (one, ten, three) = (1, 10, 3);
        let some = |number: Option<NonZeroU32>| number.unwrap_or(NonZeroU32::MIN);
        Ok(Self {
            action: action(&object)?,
            initial_delay: object
                .read("initialDelaySeconds", At::number)?
                .unwrap_or_default(),
            timeout: some(number("timeoutSeconds", one)?),
            period: some(number("periodSeconds", ten)?),
            success: some(number("successThreshold", one)?),
            failure: some(number("failureThreshold", three)?),
            grace: number("terminationGracePeriodSeconds", 0)?,
        })
    }
}

/// The one action of a probe or a hook.
fn action(object: &Object<'_>) -> Result<Action, Error> {
    let names = ["exec", "httpGet", "tcpSocket", "grpc"].iter();
    let given: Vec<_> = names.filter(|name| has(object, name)).collect();
    let [name] = given.as_slice() else {
        return Err(object.at.wrong("exactly one action has to be given"));
    };
    object.need(name, |at| match **name {
        "exec" => {
            let object = at.object(&EXEC)?;
            let command = object.read("command", At::words)?.unwrap_or_default();
            match command.is_empty() {
                true => Err(at.wrong("command is missing")),
                false => Ok(Action::Exec(command)),
            }
        }
        "httpGet" => http_get(at),
        "tcpSocket" => {
            let object = at.object(&TCP_SOCKET)?;
            Ok(Action::Tcp {
                port: object.need("port", Port::read)?,
                host: object.read("host", address)?.flatten(),
            })
        }
        _ => {
            let object = at.object(&GRPC)?;
            Ok(Action::Grpc {
                port: object.need("port", At::number)?,
                service: object.text("service")?.unwrap_or_default(),
            })
        }
    })
}

fn has(object: &Object<'_>, name: &str) -> bool {
    // Hooks have no gRPC, and their connections are refused by the table.
    object.has_field(name) && object.get(name).is_some()
}

/// An address; none if it is empty.
fn address(at: &At<'_>) -> Result<Option<IpAddr>, Error> {
    match &*at.text()? {
        "" => Ok(None),
        "localhost" => Ok(Some(Ipv4Addr::LOCALHOST.into())),
        text => text.parse().map(Some).map_err(|_| {
            at.wrong("an address is expected; whom a request names is said by the header Host")
        }),
    }
}

fn http_get(at: &At<'_>) -> Result<Action, Error> {
    let object = at.object(&HTTP_GET)?;
    let headers = object.each("httpHeaders", |at| {
        let object = at.object(&HTTP_HEADER)?;
        let value = object.text("value")?.unwrap_or_default();
        let name = object.name("name")?;
        let is_line = |text: &str| text.bytes().all(|c| c == b'\t' || (32..127).contains(&c));
        match is_line(&name) && is_line(&value) && !name.contains([':', ' ']) {
            true => Ok((name, value)),
            false => Err(at.wrong("it is not a header")),
        }
    })?;
    let path = object.text("path")?.unwrap_or_default();
    if let Some(at) = object.get("path")
        && path.bytes().any(|c| !c.is_ascii_graphic())
    {
        return Err(at.wrong("a path has no blanks, and nothing but ASCII"));
    }
    let path = match path.is_empty() || path.starts_with('/') {
        true => path,
        false => format!("/{path}"),
    };
    Ok(Action::Http {
        port: object.need("port", Port::read)?,
        path,
        host: object.read("host", address)?.flatten(),
        is_https: object
            .choice("scheme", &[("HTTP", false), ("HTTPS", true)])?
            .unwrap_or_default(),
        headers,
    })
}

impl Port {
    fn read(at: &At<'_>) -> Result<Self, Error> {
        let Value::Word(word) = &at.node.value else {
            return Err(at.wrong(format!("a port is expected, and this is {}", at.what())));
        };
        match word.kind() {
            Kind::Unsigned(_) | Kind::Text if !word.text.is_empty() => Ok(Self {
                place: at.place(),
                text: word.text.clone(),
            }),
            _ => Err(at.wrong(format!("a port is expected, and this is {}", at.what()))),
        }
    }
}

impl Lifecycle {
    pub(crate) fn read(at: &At<'_>) -> Result<Self, Error> {
        let object = at.object(&LIFECYCLE)?;
        Ok(Self {
            post_start: object.read("postStart", handler)?,
            pre_stop: object.read("preStop", handler)?,
            stop_signal: object.read("stopSignal", |at| {
                let text = at.text()?;
                let number = engine::signal_names::parse(&text);
                let number = number.and_then(|number| number.try_into().ok());
                number.ok_or_else(|| at.wrong(format!("{text:?} is not a signal")))
            })?,
        })
    }
}

fn handler(at: &At<'_>) -> Result<Handler, Error> {
    let object = at.object(&HANDLER)?;
    let sleep = object.read("sleep", |at| {
        let object = at.object(&SLEEP)?;
        object.need("seconds", At::number)
    })?;
    match sleep {
        Some(seconds) if object.len() == 1 => Ok(Handler::Sleep(seconds)),
        Some(_) => Err(at.wrong("exactly one action has to be given")),
        None => action(&object).map(Handler::Action),
    }
}
