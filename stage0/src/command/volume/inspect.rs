//! `fairing volume inspect`.

use clap::Args;
use engine::error::VolumeError;
use pod::named_volumes::NamedVolumeName;

use super::view::{View, all};
use crate::arguments::listing::{Inspected, inspected, rendered};
use crate::command::several::for_each;
use crate::command::subcommand::Subcommand;
use crate::console::output;
use crate::context::Context;
use crate::wording::failure::Failure;

/// Arguments of `volume inspect`.
#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// Names of volumes
    #[arg(value_name = "VOLUME", required = true)]
    names: Vec<NamedVolumeName>,
    /// How to show them: json, or a template such as '{{.Mountpoint}}'
    #[arg(short, long, value_name = "FORMAT", value_parser = inspected, default_value = "json")]
    format: Inspected,
}

impl Subcommand for Inspect {
    const NAME: &'static str = "inspect";
    const ABOUT: &'static str =
        "Show where volumes are, their labels and the pods that use them, as JSON";

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let views = all(context)?;
        let mut shown: Vec<&View> = Vec::new();
        let done = for_each(&self.names, |name| {
            let found = views.iter().find(|view| view.name == *name);
            let unknown = || engine::Error::from(VolumeError::Unknown(name.clone()));
            let view = found.ok_or_else(unknown)?;
            match &self.format {
                Inspected::Json => shown.push(view),
                Inspected::Lines(template) => output::line(&rendered(template, &view.value())?)?,
            }
            Ok(())
        });
        if self.format == Inspected::Json {
            output::json(&shown)?;
        }
        done
    }
}
