//! The other side of CNI: the built-in networks as a plugin that any runtime can call.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::builtin::{Builtin, BuiltinConfig, Membership, forget_ports};
use crate::config::{SpecVersion, UnknownVersion};
use crate::error::NetworkError;
use crate::foreign;
use crate::id::{ContainerId, InterfaceName, NetworkName};
use crate::netns::Netns;
use crate::ports::{PortMapping, PortOwner, Reservations};
use crate::record::{FileError, Lock};
use crate::runtime::{CniResult, HELD_LOCK, Runtime};

/// Where state is kept unless the configuration's `stateDir` says otherwise: with that of this project's own pods,
/// since bridges and rules are the host's, and there is one of each.
pub const STATE: &str = "/run/fairing/cni";

/// The error codes of the specification that occur here.
mod code {
    pub(super) const VERSION: u64 = 1;
    pub(super) const ENVIRONMENT: u64 = 4;
    pub(super) const INPUT: u64 = 6;
    pub(super) const CONFIG: u64 = 7;
    pub(super) const TRY_AGAIN: u64 = 11;
    /// Our own: everything that the kernel or a file refused.
    pub(super) const FAILED: u64 = 100;
}

/// Where a call's parameters are from: the environment of the process.
pub type Variables<'a> = &'a dyn Fn(&str) -> Option<String>;

/// An answer: what is written to the standard output, and the exit code.
#[derive(Debug, PartialEq)]
pub struct Answer {
    /// A result, an error, or nothing.
    pub text: String,
    /// 0 if it went well.
    pub exit_code: u8,
}

struct Failure {
    code: u64,
    msg: String,
}

impl Failure {
    fn new(code: u64, msg: impl ToString) -> Self {
        Self {
            code,
            msg: msg.to_string(),
        }
    }
}

impl From<NetworkError> for Failure {
    fn from(error: NetworkError) -> Self {
        let code = match &error {
            NetworkError::Setting { .. } | NetworkError::Config(_) => code::CONFIG,
            NetworkError::Exhausted { .. } => code::TRY_AGAIN,
            _ => code::FAILED,
        };
        Self::new(code, error)
    }
}

/// Carries out one call.
pub fn answer(variables: Variables<'_>, input: &[u8]) -> Answer {
    let version = serde_json::from_slice::<Value>(input)
        .ok()
        .and_then(|value| value.get("cniVersion")?.as_str()?.parse().ok())
        .unwrap_or(SpecVersion::LATEST);
    match carry_out(variables, input) {
        Ok(value) => Answer {
            text: value.map(|value| value.to_string()).unwrap_or_default(),
            exit_code: 0,
        },
        Err(failure) => Answer {
            text: json!({"cniVersion": version, "code": failure.code, "msg": failure.msg})
                .to_string(),
            exit_code: 1,
        },
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Input {
    #[serde(default)]
    cni_version: Option<String>,
    #[serde(default)]
    name: Option<NetworkName>,
    #[serde(default)]
    runtime_config: Map<String, Value>,
    #[serde(default)]
    prev_result: Option<Value>,
    #[serde(default)]
    state_dir: Option<PathBuf>,
    #[serde(default, rename = "cni.dev/valid-attachments")]
    valid: Vec<Valid>,
    #[serde(flatten)]
    fields: Map<String, Value>,
}

#[derive(Deserialize)]
struct Valid {
    #[serde(rename = "containerID")]
    container: ContainerId,
    ifname: InterfaceName,
}

fn carry_out(variables: Variables<'_>, input: &[u8]) -> Result<Option<Value>, Failure> {
    let command = variables("CNI_COMMAND").unwrap_or_default();
    if command == "VERSION" {
        return Ok(Some(json!({
            "cniVersion": SpecVersion::LATEST,
            "supportedVersions": SpecVersion::ALL,
        })));
    }
    let input: Input = serde_json::from_slice(input)
        .map_err(|error| Failure::new(code::INPUT, format_args!("configuration: {error}")))?;
    let version: SpecVersion = match &input.cni_version {
        Some(version) => version
            .parse()
            .map_err(|error: UnknownVersion| Failure::new(code::VERSION, error))?,
        None => {
            return Err(Failure::new(
                code::CONFIG,
                "configuration: it has no cniVersion",
            ));
        }
    };
    let name = input
        .name
        .as_ref()
        .ok_or_else(|| Failure::new(code::CONFIG, "configuration: it has no name"))?;
    let state = input.state_dir.as_deref().unwrap_or(Path::new(STATE));
    let config = BuiltinConfig::parse(name, &input.fields)?;
    let network = Builtin {
        state,
        name,
        config: &config,
    };
    let lock = Runtime::lock_path(state, name);
    // A plugin of that network may have called this one: then the runtime waits for both.
    let is_held = variables(HELD_LOCK).is_some_and(|held| Path::new(&held) == lock);
    let locked = |lock: fn(&Path) -> Result<Lock, FileError>, path: &Path| {
        let held = (!is_held).then(|| lock(path)).transpose();
        held.map_err(NetworkError::from)
    };
    match command.as_str() {
        "GC" => {
            let _lock = locked(Lock::exclusive, &lock)?;
            gc(&network, &input.valid)?;
            return Ok(None);
        }
        "STATUS" => {
            network.status()?;
            return Ok(None);
        }
        _ => (),
    }
    let call = Call::parse(variables, &input.runtime_config)?;
    let _lock = locked(Lock::shared, &lock)?;
    match command.as_str() {
        "ADD" => {
            let previous = previous(&input)?;
            let result = call.add(&network, state)?;
            let all = crate::runtime::joined(previous.as_ref(), result);
            Ok(Some(all.to_value(version)))
        }
        "DEL" => {
            call.del(&network, state)?;
            Ok(None)
        }
        "CHECK" => {
            let previous = previous(&input)?;
            let expected = previous
                .ok_or_else(|| Failure::new(code::CONFIG, "configuration: it has no prevResult"))?;
            network.check(call.pod(), &mut call.netns()?, &expected)?;
            Ok(None)
        }
        other => Err(Failure::new(
            code::ENVIRONMENT,
            format_args!("unknown CNI_COMMAND: {other}"),
        )),
    }
}

/// Clears what belongs to the calling runtime's containers that are not `valid`. Pods of this project's own are not
/// that runtime's to judge.
fn gc(network: &Builtin<'_>, valid: &[Valid]) -> Result<(), NetworkError> {
    let state = network.state;
    let is_valid = |container: &ContainerId, interface: &InterfaceName| {
        let mut valid = valid.iter();
        valid.any(|v| v.container == *container && v.ifname == *interface)
    };
    let mut dead = foreign::of(state, network.name)?;
    dead.retain(|(container, interface)| !is_valid(container, interface));
    for (container, interface) in &dead {
        let owner = PortOwner::interface(container, interface);
        forget_ports(&owner)?;
        Reservations::new(&state.join("ports")).release(&owner)?;
    }
    let leases = crate::builtin::Leases::of(state, network.name).list()?;
    let kept: Vec<_> = leases
        .into_iter()
        .map(|peer| (peer.container, peer.interface))
        .filter(|place| !dead.contains(place))
        .collect();
    network.gc(&kept)?;
    for (container, interface) in &dead {
        foreign::unmark(state, network.name, container, interface)?;
    }
    Ok(())
}

fn previous(input: &Input) -> Result<Option<CniResult>, Failure> {
    let previous = input.prev_result.as_ref().map(CniResult::parse).transpose();
    previous.map_err(|reason| Failure::new(code::INPUT, format_args!("prevResult: {reason}")))
}

/// What a call is about, from its environment.
struct Call<'a> {
    container: ContainerId,
    interface: InterfaceName,
    netns: String,
    arguments: Vec<(String, String)>,
    told: &'a Map<String, Value>,
}

impl<'a> Call<'a> {
    fn parse(variables: Variables<'_>, told: &'a Map<String, Value>) -> Result<Self, Failure> {
        let needed = |name: &str| {
            let value = variables(name).filter(|value| !value.is_empty());
            value.ok_or_else(|| Failure::new(code::ENVIRONMENT, format_args!("{name} is not set")))
        };
        let wrong = |error: crate::id::InvalidName| Failure::new(code::ENVIRONMENT, error);
        let arguments = variables("CNI_ARGS").unwrap_or_default();
        Ok(Self {
            container: needed("CNI_CONTAINERID")?.parse().map_err(wrong)?,
            interface: needed("CNI_IFNAME")?.parse().map_err(wrong)?,
            netns: variables("CNI_NETNS").unwrap_or_default(),
            arguments: arguments
                .split(';')
                .filter_map(|argument| argument.split_once('='))
                .map(|(key, value)| (key.into(), value.into()))
                .collect(),
            told,
        })
    }

    fn pod(&self) -> Membership<'_> {
        Membership {
            container: &self.container,
            interface: &self.interface,
            name: None,
            arguments: &self.arguments,
            told: self.told,
        }
    }

    fn owner(&self) -> PortOwner {
        PortOwner::interface(&self.container, &self.interface)
    }

    fn netns(&self) -> Result<Netns, Failure> {
        if self.netns.is_empty() {
            return Err(Failure::new(code::ENVIRONMENT, "CNI_NETNS is not set"));
        }
        Ok(Netns::open(Path::new(&self.netns))?)
    }

    fn mappings(&self) -> Result<Vec<PortMapping>, Failure> {
        match self.told.get("portMappings") {
            Some(value) => PortMapping::from_cni(value).map_err(|reason| {
                Failure::new(code::CONFIG, format_args!("portMappings: {reason}"))
            }),
            None => Ok(Vec::new()),
        }
    }

    fn add(&self, network: &Builtin<'_>, state: &Path) -> Result<CniResult, Failure> {
        let mut netns = self.netns()?;
        foreign::mark(state, network.name, &self.container, &self.interface)
            .map_err(NetworkError::from)?;
        let reservations = Reservations::new(&state.join("ports"));
        reservations
            .reserve(&self.owner(), &self.mappings()?)
            .map_err(NetworkError::from)?;
        // Whether another pod still runs, nobody here can tell.
        let result = network.add(self.pod(), (&mut netns, &self.netns), &|_| false);
        if result.is_err() {
            // The error at hand says more than one about the rest; DEL will come.
            let _ = self.del(network, state);
        }
        Ok(result?)
    }

    fn del(&self, network: &Builtin<'_>, state: &Path) -> Result<(), Failure> {
        // A runtime need not say again which ports there were.
        forget_ports(&self.owner())?;
        network.del(self.pod(), false)?;
        let reservations = Reservations::new(&state.join("ports"));
        reservations
            .release(&self.owner())
            .and_then(|()| foreign::unmark(state, network.name, &self.container, &self.interface))
            .map_err(NetworkError::from)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(command: &str, input: &str) -> Answer {
        let variables = |name: &str| (name == "CNI_COMMAND").then(|| command.to_owned());
        answer(&variables, input.as_bytes())
    }

    #[test]
    fn it_speaks_all_versions() {
        let answer = call("VERSION", r#"{"cniVersion": "1.0.0"}"#);
        let value: Value = serde_json::from_str(&answer.text).unwrap();
        assert_eq!(
            value["supportedVersions"],
            json!(["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"])
        );
        assert_eq!(answer.exit_code, 0);
    }

    #[test]
    fn errors_have_the_codes_of_the_specification() {
        let sound = r#"{"cniVersion": "1.0.0", "name": "n", "type": "fairing-cni"}"#;
        for (command, input, code) in [
            ("ADD", "{", 6),
            ("ADD", "{}", 7),
            ("ADD", r#"{"cniVersion": "9.0.0", "name": "n"}"#, 1),
            ("ADD", r#"{"cniVersion": "1.0.0"}"#, 7),
            (
                "ADD",
                r#"{"cniVersion": "1.0.0", "name": "n", "mtu": 1}"#,
                7,
            ),
            ("ADD", sound, 4),
            ("JUMP", sound, 4),
        ] {
            let answer = call(command, input);
            let value: Value = serde_json::from_str(&answer.text).unwrap();
            assert_eq!(value["code"], code, "{command} {input}: {value}");
            assert_eq!(answer.exit_code, 1);
        }
        // Where the namespace is, all but DEL must know.
        let state = tempfile::tempdir().unwrap();
        let input = json!({"cniVersion": "1.0.0", "name": "n", "type": "fairing-cni", "stateDir": state.path()});
        let variables = |name: &str| match name {
            "CNI_COMMAND" => Some("ADD".to_owned()),
            "CNI_CONTAINERID" | "CNI_IFNAME" => Some("a".to_owned()),
            _ => None,
        };
        let answer = answer(&variables, input.to_string().as_bytes());
        let value: Value = serde_json::from_str(&answer.text).unwrap();
        assert_eq!(value["code"], 4, "{value}");
        assert_eq!(value["msg"], "CNI_NETNS is not set");
    }
}
