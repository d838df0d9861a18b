//! `fairing app list`: the apps of a pod.

use clap::Args;
use engine::pods::status::status;
use engine::pods::view::AppView;
use pod::PodError;

use crate::arguments::listing::{ListArguments, values};
use crate::command::subcommand::Subcommand;
use crate::console::table::{Cut, Table};
use crate::context::Context;
use crate::wording::failure::Failure;

/// What templates see of each.
const FIELDS: &[&str] = &[
    "name",
    "groups",
    "image",
    "manifest",
    "capabilities",
    "command",
    "devices",
    "env",
    "cwd",
    "user",
    "mounts",
    "memory-limit",
    "cpu-limit",
    "cpu-shares",
    "pids-limit",
    "state",
    "pid",
    "restart",
    "restarts",
    "rlimits",
    "started",
    "finished",
    "exit-code",
    "oom-score-adj",
    "outcome",
    "new-privileges",
    "oom-kills",
    "out-of-memory",
    "terminal",
    "stdin",
    "stop-signal",
    "widened",
    "privileged",
    "read-only-root",
    "resources",
    "annotations",
    "verification",
];

/// Arguments of `app list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Name or UUID of the pod, or the beginning of its UUID
    #[arg(value_name = "POD")]
    pod: String,
    #[command(flatten)]
    shown: ListArguments,
}

impl Subcommand for List {
    const NAME: &'static str = "list";
    const ABOUT: &'static str = "List the apps of a pod, and how each is";
    const ALIASES: &'static [&'static str] = &["ls"];

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let entry = context.pod(&self.pod)?;
        let view = status(&context.engine, &entry, &context.console)?
            .ok_or(PodError::NoSuchPod(self.pod))?;
        let apps = &view.apps;
        self.shown
            .show(apps, FIELDS, || values(apps), || table(apps))?;
        Ok(0)
    }
}

fn table(apps: &[AppView]) -> Table {
    let heading = ["APP", "IMAGE", "COMMAND", "STATE", "PID", "EXIT"];
    let cuts = [
        Cut::End,
        Cut::Start,
        Cut::End,
        Cut::Never,
        Cut::Never,
        Cut::Never,
    ];
    let mut table = Table::new(&heading).cut(&cuts);
    for app in apps {
        table.row(row(app));
    }
    table
}

fn row(app: &AppView) -> Vec<String> {
    let or_dash = |number: Option<i32>| number.map_or_else(|| "-".to_owned(), |n| n.to_string());
    vec![
        app.name.to_string(),
        app.image.clone(),
        app.command.join(" "),
        app.state.word().to_owned(),
        or_dash(app.pid),
        or_dash(app.exit_code),
    ]
}
