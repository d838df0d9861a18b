//! Containers.

use std::net::IpAddr;

use cni_glue::ports::Protocol;
use pod::AppName;
use pod::manifest::{
    AppPath, ExitCodeOperator, ExitCodes, RestartAction, RestartRule, TerminationMessage,
    TerminationMessagePolicy, VolumeName,
};

use super::environment::{EnvFrom, EnvVar};
use super::probe::{Lifecycle, Probes};
use super::resources::Resources;
use super::security::ContainerSecurity;
use crate::reading::{At, Error, Object, Place};
use crate::schema::{CONTAINER, EXIT_CODES, PORT, RESTART_RULE, VOLUME_MOUNT};

/// A container.
#[derive(Debug, Clone)]
pub(crate) struct Container {
    pub(crate) place: Place,
    pub(crate) name: AppName,
    pub(crate) image: String,
    pub(crate) command: Vec<String>,
    pub(crate) args: Vec<String>,
    pub(crate) working_dir: Option<AppPath>,
    pub(crate) ports: Vec<ContainerPort>,
    pub(crate) env: Vec<EnvVar>,
    pub(crate) env_from: Vec<EnvFrom>,
    pub(crate) resources: Resources,
    pub(crate) restart: Option<(Place, RestartPolicy)>,
    pub(crate) rules: Vec<RestartRule>,
    pub(crate) termination: Option<TerminationMessage>,
    pub(crate) mounts: Vec<VolumeMount>,
    pub(crate) probes: Probes,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) pull: Option<PullPolicy>,
    pub(crate) security: ContainerSecurity,
    pub(crate) stdin: bool,
    pub(crate) tty: bool,
}

/// A port of a container.
#[derive(Debug, Clone)]
pub(crate) struct ContainerPort {
    pub(crate) place: Place,
    pub(crate) name: Option<String>,
    pub(crate) container: u16,
    pub(crate) host: Option<u16>,
    pub(crate) host_ip: Option<IpAddr>,
    pub(crate) protocol: Protocol,
}

/// After which ends something is started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum RestartPolicy {
    #[default]
    Always,
    OnFailure,
    Never,
}

/// The words for it.
pub(crate) const RESTARTS: [(&str, RestartPolicy); 3] = [
    ("Always", RestartPolicy::Always),
    ("OnFailure", RestartPolicy::OnFailure),
    ("Never", RestartPolicy::Never),
];

/// When an image is fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PullPolicy {
    Always,
    Newer,
    IfNotPresent,
    Never,
}

/// A mount.
#[derive(Debug, Clone)]
pub(crate) struct VolumeMount {
    pub(crate) place: Place,
    pub(crate) name: VolumeName,
    pub(crate) path: AppPath,
    pub(crate) read_only: bool,
    pub(crate) is_recursive: bool,
    pub(crate) sub_path: Option<String>,
    pub(crate) sub_path_expr: Option<String>,
    pub(crate) propagation: Propagation,
}

/// Which way mounts go that are made later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Propagation {
    #[default]
    None,
    HostToContainer,
    Bidirectional,
}

impl PullPolicy {
    pub(crate) fn read(at: &At<'_>) -> Result<Self, Error> {
        match &*at.text()? {
            "Always" => Ok(Self::Always),
            "Newer" => Ok(Self::Newer),
            "IfNotPresent" => Ok(Self::IfNotPresent),
            "Never" => Ok(Self::Never),
            text => Err(at.wrong(format!(
                "{text:?} is none of Always, IfNotPresent, Never, Newer"
            ))),
        }
    }
}

/// A path as an app sees it; one that is relative begins at the root.
pub(crate) fn app_path(at: &At<'_>) -> Result<AppPath, Error> {
    let text = at.text()?;
    AppPath::try_from(text).map_err(|error| at.wrong(error))
}

impl Container {
    pub(crate) fn read(at: &At<'_>) -> Result<Self, Error> {
        let object = at.object(&CONTAINER)?;
        Ok(Self {
            place: at.place(),
            name: object.need("name", At::parsed)?,
            image: object.name("image")?,
            command: object.read("command", At::words)?.unwrap_or_default(),
            args: object.read("args", At::words)?.unwrap_or_default(),
            working_dir: object.read("workingDir", app_path)?,
            ports: object.each("ports", ContainerPort::read)?,
            env: object.each("env", EnvVar::read)?,
            env_from: object.each("envFrom", EnvFrom::read)?,
            resources: object
                .read("resources", Resources::read)?
                .unwrap_or_default(),
            restart: object
                .get("restartPolicy")
                .map(|at| at.place())
                .zip(object.choice("restartPolicy", &RESTARTS)?),
            rules: rules(&object)?,
            termination: termination(&object)?,
            mounts: object.each("volumeMounts", VolumeMount::read)?,
            probes: Probes::read(&object)?,
            lifecycle: object
                .read("lifecycle", Lifecycle::read)?
                .unwrap_or_default(),
            pull: object.read("imagePullPolicy", PullPolicy::read)?,
            security: object
                .read("securityContext", ContainerSecurity::read)?
                .unwrap_or_default(),
            stdin: object.flag("stdin")?.unwrap_or_default(),
            tty: object.flag("tty")?.unwrap_or_default(),
        })
    }
}

/// What is done after some exit codes.
fn rules(container: &Object<'_>) -> Result<Vec<RestartRule>, Error> {
    let rules = container.each("restartPolicyRules", |at| {
        let object = at.object(&RESTART_RULE)?;
        let actions = [
            ("Restart", RestartAction::Restart),
            ("RestartAllContainers", RestartAction::RestartAllApps),
        ];
        let action = object.choice("action", &actions)?;
        Ok(RestartRule {
            action: action.ok_or_else(|| at.wrong("action is missing"))?,
            exit_codes: object.need("exitCodes", exit_codes)?,
        })
    })?;
    if let Some(at) = container.get("restartPolicyRules") {
        if container.get("restartPolicy").is_none() && !rules.is_empty() {
            return Err(at.wrong("the container needs a restartPolicy of its own for it"));
        }
        if rules.len() > RestartRule::RULES_MAX {
            return Err(at.wrong("there are more than 20 rules"));
        }
    }
    Ok(rules)
}

fn exit_codes(at: &At<'_>) -> Result<ExitCodes, Error> {
    let object = at.object(&EXIT_CODES)?;
    let operators = [
        ("In", ExitCodeOperator::In),
        ("NotIn", ExitCodeOperator::NotIn),
    ];
    let operator = object.choice("operator", &operators)?;
    let values = object.each("values", |at| at.number::<u8>().map(Into::into))?;
    if values.is_empty() || values.len() > RestartRule::VALUES_MAX {
        return Err(at.wrong("values are 1 to 255 exit codes"));
    }
    Ok(ExitCodes {
        operator: operator.ok_or_else(|| at.wrong("operator is missing"))?,
        values,
    })
}

/// Where a container writes why it has ended, if either part of that is said.
fn termination(container: &Object<'_>) -> Result<Option<TerminationMessage>, Error> {
    let path = container.read("terminationMessagePath", app_path)?;
    let policies = [
        ("File", TerminationMessagePolicy::File),
        (
            "FallbackToLogsOnError",
            TerminationMessagePolicy::FallbackToLogsOnError,
        ),
    ];
    let policy = container.choice("terminationMessagePolicy", &policies)?;
    if path.is_none() && policy.is_none() {
        return Ok(None);
    }
    let usual = || AppPath::try_from("/dev/termination-log".to_owned());
    let path = path.map_or_else(usual, Ok);
    Ok(Some(TerminationMessage {
        path: path.map_err(|error| container.at.wrong(error))?,
        policy: policy.unwrap_or_default(),
    }))
}

fn port(at: &At<'_>) -> Result<u16, Error> {
    match at.number()? {
        0 => Err(at.wrong("a port is from 1 to 65535")),
        port => Ok(port),
    }
}

impl ContainerPort {
    fn read(at: &At<'_>) -> Result<Self, Error> {
        let object = at.object(&PORT)?;
        let host = object.read("hostPort", |at| match at.number::<u16>()? {
            0 => Ok(None),
            port => Ok(Some(port)),
        })?;
        let host_ip = object.text("hostIP")?;
        let host_ip = host_ip.map(|text| {
            let parsed = text.parse::<IpAddr>();
            parsed.map_err(|_| at.wrong(format!("hostIP {text:?} is not an address")))
        });
        Ok(Self {
            place: at.place(),
            name: object.text("name")?,
            container: object.need("containerPort", port)?,
            host: host.flatten(),
            // All of the host's, as if nothing is said.
            host_ip: host_ip.transpose()?.filter(|ip| !ip.is_unspecified()),
            protocol: object
                .choice(
                    "protocol",
                    &[
                        ("TCP", Protocol::Tcp),
                        ("UDP", Protocol::Udp),
                        ("SCTP", Protocol::Sctp),
                    ],
                )?
                .unwrap_or(Protocol::Tcp),
        })
    }
}

impl VolumeMount {
    fn read(at: &At<'_>) -> Result<Self, Error> {
        let object = at.object(&VOLUME_MOUNT)?;
        let read = Self {
            place: at.place(),
            name: object.need("name", At::parsed)?,
            path: object.need("mountPath", app_path)?,
            read_only: object.flag("readOnly")?.unwrap_or_default(),
            is_recursive: object
                .choice(
                    "recursiveReadOnly",
                    &[("Disabled", false), ("IfPossible", true), ("Enabled", true)],
                )?
                .unwrap_or_default(),
            sub_path: object.read("subPath", sub_path)?.flatten(),
            sub_path_expr: object.text("subPathExpr")?,
            propagation: object
                .choice(
                    "mountPropagation",
                    &[
                        ("None", Propagation::None),
                        ("HostToContainer", Propagation::HostToContainer),
                        ("Bidirectional", Propagation::Bidirectional),
                    ],
                )?
                .unwrap_or_default(),
        };
        if read.is_recursive && (!read.read_only || read.propagation != Propagation::None) {
            return Err(at.wrong("recursiveReadOnly needs readOnly: true, and no mountPropagation"));
        }
        if read.sub_path.is_some() && read.sub_path_expr.is_some() {
            return Err(at.wrong("subPath and subPathExpr exclude each other"));
        }
        Ok(read)
    }
}

fn sub_path(at: &At<'_>) -> Result<Option<String>, Error> {
    let text = at.text()?;
    check_sub_path(&text).map_err(|text| at.wrong(text))?;
    Ok((!text.is_empty()).then_some(text))
}

/// Whether a path is one within a volume.
pub(crate) fn check_sub_path(path: &str) -> Result<(), String> {
    let leads_out = path.starts_with('/') || path.split('/').any(|part| part == "..");
    match leads_out || path.contains('\0') {
        true => Err(format!("{path:?} is not a path within the volume")),
        false => Ok(()),
    }
}
