//! `fairing inspect`: all that is known of pods and images.

use clap::{Args, ValueEnum};
use engine::Error;
use engine::pods::status::status;
use image_store::StoreError;
use pod::PodError;
use serde_json::Value;

use super::image::inspect::inspection;
use super::several::for_each;
use crate::arguments::listing::{Inspected, inspected, rendered};
use crate::command::subcommand::Subcommand;
use crate::console::output;
use crate::context::Context;
use crate::wording::docker_members::{of_image, of_pod, with};
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
    #[arg(short, long, value_name = "FORMAT", value_parser = inspected, default_value = "json")]
    format: Inspected,
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
                Inspected::Json => shown.push(value),
                Inspected::Lines(template) => {
                    output::line(&rendered(template, &with(value, words))?)?;
                }
            }
            Ok(())
        });
        if self.format == Inspected::Json {
            output::json(&shown)?;
        }
        done
    }
}

/// What is known, and in which words docker and podman have it, for templates.
fn look(context: &Context, name: &str, kind: Kind) -> Result<(Value, Value), Failure> {
    let unshown = |error| Failure::Other(format!("cannot write as JSON: {error}"));
    if kind != Kind::Image {
        match context.pod_or_app(name) {
            Ok((entry, _)) => {
                let view = status(&context.engine, &entry, &context.console)?
                    .ok_or_else(|| PodError::NoSuchPod(name.to_owned()))?;
                let value = serde_json::to_value(&view).map_err(unshown)?;
                return Ok((value, of_pod(&view)));
            }
            Err(Failure::Engine(Error::Pod(PodError::NoSuchPod(_)))) if kind == Kind::All => {}
            Err(failure) => return Err(failure),
        }
    }
    match inspection(context, name) {
        Ok(inspection) => {
            let value = serde_json::to_value(&inspection).map_err(unshown)?;
            let words = of_image(&value);
            Ok((value, words))
        }
        // What can be no name of an image may have been meant for a pod's.
        Err(Failure::Engine(
            Error::NotInStore { .. }
            | Error::Store(StoreError::Name(_) | StoreError::InvalidReference { .. }),
        )) if kind == Kind::All => Err(Failure::Engine(Error::NoSuchPodOrImage(name.to_owned()))),
        Err(failure) => Err(failure),
    }
}
