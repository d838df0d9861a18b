//! What is executed, with which variables, where, and with which streams.

use engine::pods::environment::Variable;
use engine::pods::spec::AppSpec;
use pod::activation;
use pod::manifest::AppPath;

use crate::api::{ContainerConfig, KeyValue};
use crate::container::command::require_words;
use crate::container::facts::SandboxFacts;
use crate::error::CriError;
use crate::journal::{self, Priority};

/// Says it of an app. As Kubernetes has it, a command takes the place of the image's entry point and of its arguments, and
/// arguments that of its arguments.
pub(super) fn set(
    config: &ContainerConfig,
    sandbox: &SandboxFacts<'_>,
    spec: &mut AppSpec,
) -> Result<(), CriError> {
    require_words("config.command", &config.command)?;
    require_words("config.args", &config.args)?;
    let mut command = config.command.iter();
    spec.exec = command.next().cloned();
    if spec.exec.as_deref() == Some("") {
        return Err(CriError::missing("config.command[0]"));
    }
    spec.arguments = command.chain(&config.args).cloned().collect();
    spec.workdir = match config.working_dir.as_str() {
        "" => None,
        path => Some(
            AppPath::try_from(path.to_owned())
                .map_err(|error| CriError::invalid("config.working_dir", error))?,
        ),
    };
    spec.inherited.push(variable("HOSTNAME", sandbox.hostname)?);
    if config.tty {
        spec.inherited.push(variable("TERM", "xterm")?);
    }
    let (announced, envs) = config.envs.iter().partition::<Vec<_>, _>(announces_sockets);
    if !announced.is_empty() {
        journal::line(
            Priority::Warning,
            &format!(
                "warning: container {:?} is handed no sockets, and gets no variables that announce some: {}",
                config.metadata.as_ref().map_or("", |one| &*one.name),
                announced
                    .iter()
                    .map(|pair| &*pair.key)
                    .collect::<Vec<_>>()
                    .join(", ")
            ),
        );
    }
    spec.env = envs.into_iter().map(given).collect::<Result<_, _>>()?;
    spec.stdin = config.stdin;
    // Nothing is said of an input that there is not.
    spec.stdin_once = config.stdin && config.stdin_once;
    spec.tty = config.tty;
    Ok(())
}

/// Whether a variable would have a program look for sockets of a service manager (`sd_listen_fds(3)`).
fn announces_sockets(pair: &&KeyValue) -> bool {
    activation::VARIABLES.contains(&pair.key.as_str())
}

fn given(pair: &KeyValue) -> Result<Variable, CriError> {
    let value = std::str::from_utf8(&pair.value).map_err(|_| {
        CriError::invalid("config.envs", format!("{:?} is no UTF-8 text", pair.key))
    })?;
    match pair.key.contains('=') {
        true => Err(CriError::invalid(
            "config.envs",
            format!("{:?} is not the name of a variable", pair.key),
        )),
        false => variable(&pair.key, value),
    }
}

fn variable(name: &str, value: &str) -> Result<Variable, CriError> {
    let invalid = |error: &dyn std::fmt::Display| {
        CriError::invalid("config.envs", format!("{name:?}: {error}"))
    };
    let parsed = Variable::parse(&format!("{name}={value}"), |_| None);
    let parsed = parsed.map_err(|error| invalid(&error))?;
    parsed.ok_or_else(|| invalid(&"it has no value"))
}
