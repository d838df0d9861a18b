//! `fairing app status`: everything about one app of a pod.

use clap::Args;
use engine::Error;
use engine::error::AppError;
use engine::pods::status::Asked;
use pod::AppName;

use crate::arguments::format::{Format, format};
use crate::command::status::{app_lines, look};
use crate::command::subcommand::Subcommand;
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
    /// How to show the app: text, json, or a template
    #[arg(short, long, value_name = "FORMAT", value_parser = format, default_value = "text")]
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
        self.format.show(&app, || app_lines(&app))?;
        Ok(0)
    }
}
