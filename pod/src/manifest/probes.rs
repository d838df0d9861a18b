//! How it is found out whether an app is well, and what is done around its start and its end. Names, meanings and
//! defaults are those of Kubernetes.

use std::net::IpAddr;
use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use super::presence::is_default;

/// An app's probes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Probes {
    /// Whether it has started; the others wait for this one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub startup: Option<Probe>,
    /// Whether it is ready to serve.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub readiness: Option<Probe>,
    /// Whether it is alive.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub liveness: Option<Probe>,
}

impl Probes {
    fn actions(&self) -> impl Iterator<Item = &ProbeAction> {
        let all = [&self.startup, &self.readiness, &self.liveness];
        all.into_iter().flatten().map(|probe| &probe.action)
    }

    /// Whether one of them asks the health service of gRPC.
    pub fn use_grpc(&self) -> bool {
        self.actions()
            .any(|action| matches!(action, ProbeAction::Grpc { .. }))
    }

    /// Whether one of them sends a request over TLS.
    pub fn use_tls(&self) -> bool {
        self.actions().any(
            |action| matches!(action, ProbeAction::HttpGet(get) if get.scheme == Scheme::Https),
        )
    }
}

impl Hooks {
    /// Whether one of them sends a request over TLS.
    pub fn use_tls(&self) -> bool {
        [&self.post_start, &self.pre_stop]
            .into_iter()
            .flatten()
            .any(|hook| matches!(hook, HookAction::HttpGet(get) if get.scheme == Scheme::Https))
    }
}

/// A question that is asked again and again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Probe {
    /// What is asked.
    pub action: ProbeAction,
    /// How long after the app's start it is asked first.
    #[serde(skip_serializing_if = "is_default", default)]
    pub initial_delay_seconds: u32,
    /// How long the answer may take.
    #[serde(default = "one")]
    pub timeout_seconds: NonZeroU32,
    /// How long it is until it is asked again.
    #[serde(default = "ten")]
    pub period_seconds: NonZeroU32,
    /// How many good answers in a row count.
    #[serde(default = "one")]
    pub success_threshold: NonZeroU32,
    /// How many bad answers in a row count.
    #[serde(default = "three")]
    pub failure_threshold: NonZeroU32,
    /// How long an app that this probe ends may take, if not as long as any.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub termination_grace_period_seconds: Option<NonZeroU32>,
}

const THREE: NonZeroU32 = NonZeroU32::MIN.saturating_add(2);
const TEN: NonZeroU32 = NonZeroU32::MIN.saturating_add(9);

fn one() -> NonZeroU32 {
    NonZeroU32::MIN
}

fn three() -> NonZeroU32 {
    THREE
}

fn ten() -> NonZeroU32 {
    TEN
}

/// What a probe does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "type",
    deny_unknown_fields,
    rename_all = "kebab-case",
    rename_all_fields = "kebab-case"
)]
pub enum ProbeAction {
    /// Runs a command inside of the app.
    Exec(ExecAction),
    /// Sends a GET request.
    HttpGet(HttpGetAction),
    /// Opens a connection.
    TcpSocket {
        /// To which port.
        port: u16,
        /// To which address; the pod's own if absent.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        host: Option<IpAddr>,
    },
    /// Asks the health service of gRPC.
    Grpc {
        /// On which port.
        port: u16,
        /// For which service.
        #[serde(skip_serializing_if = "is_default", default)]
        service: String,
    },
}

/// A command that is run inside of an app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ExecAction {
    /// Program and arguments.
    pub args: Vec<String>,
}

/// A GET request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct HttpGetAction {
    /// To which port.
    pub port: u16,
    /// For which path.
    #[serde(default)]
    pub path: String,
    /// To which address; the pod's own if absent. Whom the request names is said by the header `Host`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub host: Option<IpAddr>,
    /// Over what.
    #[serde(skip_serializing_if = "is_default", default)]
    pub scheme: Scheme,
    /// With which headers.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub headers: Vec<Header>,
}

/// What a request goes over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scheme {
    /// HTTP.
    #[default]
    Http,
    /// HTTP over TLS, whose certificate is not checked.
    Https,
}

/// A header of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Header {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// What is done around an app's start and its end.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Hooks {
    /// Right after its start.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub post_start: Option<HookAction>,
    /// Before the signal that asks it to end.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub pre_stop: Option<HookAction>,
}

/// What a hook does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "type",
    deny_unknown_fields,
    rename_all = "kebab-case",
    rename_all_fields = "kebab-case"
)]
pub enum HookAction {
    /// Runs a command inside of the app.
    Exec(ExecAction),
    /// Sends a GET request.
    HttpGet(HttpGetAction),
    /// Waits.
    Sleep {
        /// So long.
        seconds: u32,
    },
}
