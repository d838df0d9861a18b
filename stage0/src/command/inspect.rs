//! `fairing inspect`: all that is known of pods and images.

use clap::{Args, ValueEnum};
use engine::Error;
use engine::pods::status::status;
use engine::pods::view::{AppState, PodView};
use pod::exit::Outcome;
use pod::{PodError, State};
use serde_json::{Value, json};

use super::image::inspect::inspection;
use super::several::for_each;
use crate::arguments::inspection::{InspectShape, inspect_shape};
use crate::command::subcommand::Subcommand;
use crate::console::output;
use crate::context::Context;
use crate::wording::failure::Failure;

/// Arguments of `inspect`.
#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// Pods or images; a pod is looked for first
    #[arg(value_name = "POD|IMAGE", required = true)]
    names: Vec<String>,
    /// Look only for one kind of them
    #[arg(short, long, value_enum, value_name = "KIND", default_value = "all")]
    r#type: Kind,
    /// How to show them: json, or a template such as '{{.State.Status}}'
    #[arg(short, long, value_name = "FORMAT", value_parser = inspect_shape, default_value = "json")]
    format: InspectShape,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    All,
    #[value(alias = "container")]
    Pod,
    Image,
}

impl Subcommand for Inspect {
    const NAME: &'static str = "inspect";
    const ABOUT: &'static str =
        "Show all that is known of pods and images, as JSON or by a template";

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let mut shown = Vec::new();
        let done = for_each(&self.names, |name| {
            let (value, words) = look(context, name, self.r#type)?;
            match &self.format {
                InspectShape::Json => shown.push(value),
                InspectShape::Lines(template) => {
                    let text = template
                        .render(&with_words(value, words))
                        .map_err(|error| Failure::Usage(format!("--format: {error}")))?;
                    output::line(&text)?;
                }
            }
            Ok(())
        });
        if self.format == InspectShape::Json {
            output::json(&shown)?;
        }
        done
    }
}

/// What is known, and in which words docker and podman have it, for templates.
fn look(context: &Context, name: &str, kind: Kind) -> Result<(Value, Value), Failure> {
    let unshown = |error| Failure::Other(format!("cannot write as JSON: {error}"));
    if kind != Kind::Image {
        match context.pod(name) {
            Ok(entry) => {
                let view = status(&context.engine, &entry, &context.console)?
                    .ok_or_else(|| PodError::NoSuchPod(name.to_owned()))?;
                let value = serde_json::to_value(&view).map_err(unshown)?;
                return Ok((value, words_of_pod(&view)));
            }
            Err(Failure::Engine(Error::Pod(PodError::NoSuchPod(_)))) if kind == Kind::All => {}
            Err(failure) => return Err(failure),
        }
    }
    match inspection(context, name) {
        Ok(inspection) => {
            let value = serde_json::to_value(&inspection).map_err(unshown)?;
            let config = value.get("config").and_then(|config| config.get("config"));
            let words = json!({
                "Id": value.get("config-digest"),
                "Digest": value.get("manifest"),
                "RepoTags": [value.get("reference")],
                "Config": with_all_settings(config.cloned().unwrap_or_default()),
                "Created": value.get("config").and_then(|config| config.get("created")),
                "Os": value.get("config").and_then(|config| config.get("os")),
                "Architecture": value.get("config").and_then(|config| config.get("architecture")),
            });
            Ok((value, words))
        }
        Err(Failure::Engine(Error::NotInStore { .. })) if kind == Kind::All => {
            Err(Failure::Engine(Error::NoSuchPodOrImage(name.to_owned())))
        }
        Err(failure) => Err(failure),
    }
}

/// The settings of an image, each of them named: what it doesn't set is nothing, and no mistake of who asks for it.
fn with_all_settings(config: Value) -> Value {
    let names = [
        "User",
        "ExposedPorts",
        "Env",
        "Entrypoint",
        "Cmd",
        "Volumes",
        "WorkingDir",
        "Labels",
        "StopSignal",
    ];
    let unset = names.map(|name| (name.to_owned(), Value::Null));
    let mut all: serde_json::Map<String, Value> = unset.into_iter().collect();
    if let Value::Object(set) = config {
        all.extend(set);
    }
    Value::Object(all)
}

fn words_of_pod(view: &PodView) -> Value {
    let is_running = view.state == State::Running;
    let was_killed_for_memory = view.apps.iter().any(|app| {
        matches!(
            app.outcome,
            Some(Outcome::Signaled {
                oom_killed: true,
                ..
            })
        )
    });
    let first = view.apps.first();
    let address = view
        .networks
        .first()
        .and_then(|network| network.addresses.first())
        .map(|address| address.address.address().to_string());
    let networks: serde_json::Map<String, Value> = view
        .networks
        .iter()
        .map(|network| {
            let addresses = network.addresses.iter();
            let first = addresses.map(|address| address.address.address().to_string());
            let value = json!({ "IPAddress": first.collect::<Vec<_>>().first() });
            (network.name.to_string(), value)
        })
        .collect();
    json!({
        "Id": view.uuid,
        "Name": view.name,
        "Image": first.map(|app| &app.manifest),
        "ImageName": first.map(|app| &app.image),
        "Created": view.created,
        "Path": first.and_then(|app| app.command.first()),
        "Args": first.map(|app| app.command.get(1..).unwrap_or_default()),
        "State": {
            "Status": view.state,
            "Running": is_running,
            "Paused": view.apps.iter().any(|app| app.state == AppState::Paused),
            "OOMKilled": was_killed_for_memory,
            "Pid": first.and_then(|app| app.pid).unwrap_or(0),
            "ExitCode": view.exit_code.unwrap_or(0),
            "Error": view.failure.clone().unwrap_or_default(),
            "StartedAt": view.started,
            "FinishedAt": view.finished,
        },
        "Config": {
            "Hostname": view.hostname,
            "Image": first.map(|app| &app.image),
            "Cmd": first.map(|app| &app.command),
            "Labels": view.labels,
        },
        "NetworkSettings": {
            "IPAddress": address.unwrap_or_default(),
            "Networks": networks,
        },
    })
}

/// Our own members, and those of docker and podman in their spelling, which come first.
fn with_words(value: Value, words: Value) -> Value {
    match (value, words) {
        (Value::Object(mut own), Value::Object(words)) => {
            own.extend(words);
            Value::Object(own)
        }
        (own, _) => own,
    }
}
