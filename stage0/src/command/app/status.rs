//! `fairing app status`: everything about one app of a pod.

use clap::Args;
use engine::pods::status::status;
use pod::{AppName, PodError};

use crate::arguments::format::Format;
use crate::command::status::app_lines;
use crate::command::subcommand::Subcommand;
use crate::console::output;
use crate::context::Context;
use crate::wording::failure::Failure;

/// Arguments of `app status`.
#[derive(Debug, Args)]
pub(crate) struct Status {
    /// Name or UUID of the pod, or the beginning of its UUID
    #[arg(value_name = "POD")]
    pod: String,
    /// An app of it
    #[arg(value_name = "APP")]
    app: AppName,
    /// How to show the app
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    format: Format,
}

impl Subcommand for Status {
    const NAME: &'static str = "status";
    const ABOUT: &'static str =
        "Show how an app is, who signed its image and which rule lets it run";

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let entry = context.pod(&self.pod)?;
        let view = status(&context.engine, &entry, &context.console)?
            .ok_or(PodError::NoSuchPod(self.pod))?;
        let app = view.apps.into_iter().find(|app| app.name == self.app);
        let app = app.ok_or_else(|| {
            Failure::Other(format!("pod {} has no app called {}", entry.uuid, self.app))
        })?;
        match self.format {
            Format::Json => output::json(&app)?,
            Format::Text => output::text(&app_lines(&app))?,
        }
        Ok(0)
    }
}
