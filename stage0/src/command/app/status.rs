//! `fairing app status`: everything about one app of a pod.

use clap::Args;
use engine::Error;
use engine::error::AppError;
use engine::pods::status::Asked;
use pod::AppName;

use crate::arguments::format::Format;
use crate::command::status::{app_lines, look};
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
        let view = look(context, &self.pod, entry, Asked::BuiltIn)?;
        let called = view.name.as_ref().map(ToString::to_string);
        let names = view.apps.iter().map(|app| app.name.clone()).collect();
        let app = view.apps.into_iter().find(|app| app.name == self.app);
        let app = app.ok_or_else(|| {
            Error::from(AppError::Unknown {
                pod: called.unwrap_or_else(|| view.uuid.to_string()),
                app: self.app,
                apps: names,
            })
        })?;
        match self.format {
            Format::Json => output::json(&app)?,
            Format::Text => output::text(&app_lines(&app))?,
        }
        Ok(0)
    }
}
