//! `fairing app list`: the apps of a pod.

use clap::Args;
use engine::pods::status::status;
use engine::pods::view::AppView;
use pod::PodError;

use crate::arguments::format::Format;
use crate::command::subcommand::Subcommand;
use crate::console::output;
use crate::console::table::Table;
use crate::context::Context;
use crate::wording::failure::Failure;

/// Arguments of `app list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Name or UUID of the pod, or the beginning of its UUID
    #[arg(value_name = "POD")]
    pod: String,
    /// How to show the apps
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    format: Format,
}

impl Subcommand for List {
    const NAME: &'static str = "list";
    const ABOUT: &'static str = "List the apps of a pod, and how each is";
    const ALIASES: &'static [&'static str] = &["ls"];

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let entry = context.pod(&self.pod)?;
        let view = status(&context.engine, &entry, &context.console)?
            .ok_or(PodError::NoSuchPod(self.pod))?;
        match self.format {
            Format::Json => output::json(&view.apps)?,
            Format::Text => {
                let mut table = Table::new(&["APP", "IMAGE", "STATE", "PID", "EXIT"]);
                for app in &view.apps {
                    table.row(row(app));
                }
                output::text(&table.render(true))?;
            }
        }
        Ok(0)
    }
}

fn row(app: &AppView) -> Vec<String> {
    let or_dash = |number: Option<i32>| number.map_or_else(|| "-".to_owned(), |n| n.to_string());
    vec![
        app.name.to_string(),
        app.image.clone(),
        app.state.word().to_owned(),
        or_dash(app.pid),
        or_dash(app.exit_code),
    ]
}
