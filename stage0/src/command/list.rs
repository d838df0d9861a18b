//! `fairing list`, all pods, and `fairing ps`, those that run.

mod filter;
mod rows;

use clap::Args;
use engine::pods::connection::glance;
use engine::pods::view::{PodView, look, up_since};
use pod::State;

use self::filter::{check, is_shown};
use self::rows::{table, values};
use crate::arguments::filter::{Filter, filter};
use crate::arguments::listing::ListArguments;
use crate::command::subcommand::Subcommand;
use crate::console::output;
use crate::context::Context;
use crate::wording::failure::Failure;

/// What templates see of each.
const FIELDS: &[&str] = &[
    "ID",
    "UUID",
    "Name",
    "Names",
    "Pod",
    "App",
    "Image",
    "ImageID",
    "Digest",
    "Command",
    "Created",
    "CreatedAt",
    "RunningFor",
    "StartedAt",
    "Up",
    "State",
    "Status",
    "ExitCode",
    "Restarts",
    "Ports",
    "Address",
    "Mounts",
    "LocalVolumes",
    "Pid",
    "Networks",
    "Labels",
    "Insecure",
];

/// Arguments of `list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    // They are shown anyway.
    #[arg(short, long, hide = true)]
    all: bool,
    #[command(flatten)]
    choice: Choice,
}

/// Arguments of `ps`.
#[derive(Debug, Args)]
pub(crate) struct Ps {
    /// Also those that don't run
    #[arg(short, long)]
    all: bool,
    #[command(flatten)]
    choice: Choice,
}

/// A number of pods; as other tools have it, -1 is as many as there are.
fn last(text: &str) -> Result<usize, String> {
    match text {
        "-1" => Ok(usize::MAX),
        _ => text
            .parse()
            .map_err(|_| "it must be a number from 0 on, or -1 for all".to_owned()),
    }
}

/// Which pods are shown, and how.
#[derive(Debug, Args)]
struct Choice {
    /// Print UUIDs alone
    #[arg(short, long)]
    quiet: bool,
    /// Only pods of this name, id, label, status, health, exited, ancestor, network or volume; may be repeated
    #[arg(short, long = "filter", value_name = "KEY=VALUE", value_parser = filter)]
    filters: Vec<Filter>,
    /// Only so many that were made last, whether they run or not; -1 for all
    #[arg(short = 'n', long, value_name = "NUMBER", value_parser = last, allow_negative_numbers = true)]
    last: Option<usize>,
    /// Only the one that was made last
    #[arg(short, long, conflicts_with = "last")]
    latest: bool,
    #[command(flatten)]
    shown: ListArguments,
}

impl Subcommand for List {
    const NAME: &'static str = "list";
    const ABOUT: &'static str = "List all pods";

    fn run(self, context: &Context) -> Result<u8, Failure> {
        self.choice.list(context, true)
    }
}

impl Subcommand for Ps {
    const NAME: &'static str = "ps";
    const ABOUT: &'static str = "List the pods that run";

    fn run(self, context: &Context) -> Result<u8, Failure> {
        self.choice.list(context, self.all)
    }
}

impl Choice {
    fn list(&self, context: &Context, all: bool) -> Result<u8, Failure> {
        check(&self.filters)?;
        let asks_state = self
            .filters
            .iter()
            .any(|filter| matches!(filter.key.as_str(), "status" | "exited"));
        let last = self.last.or(self.latest.then_some(1));
        let all = all || asks_state || last.is_some();
        let mut views = Vec::new();
        for mut view in pods(context)? {
            let is_meant = all || view.state == State::Running;
            if is_meant && is_shown(&view, &self.filters)? {
                if view.started.is_none() && view.state == State::Running {
                    view.started = up_since(view.uuid, &context.engine.directories);
                }
                views.push(view);
            }
        }
        views.sort_by_key(|view| (view.created, view.uuid));
        if let Some(last) = last {
            views.drain(..views.len().saturating_sub(last));
        }
        if self.quiet {
            let uuid = |view: &PodView| match self.shown.full {
                true => format!("{}\n", view.uuid),
                false => format!("{}\n", view.uuid.short()),
            };
            output::text(&views.iter().map(uuid).collect::<String>())?;
            return Ok(0);
        }
        let full = self.shown.full;
        self.shown.show(
            &views,
            FIELDS,
            || values(&views, full),
            || table(&views, full),
        )?;
        Ok(0)
    }
}

/// All pods that are there for people.
fn pods(context: &Context) -> Result<Vec<PodView>, Failure> {
    let mut views = Vec::new();
    let mut entries = context.engine.pods().list()?;
    entries.retain(|entry| entry.phase != pod::Phase::Garbage);
    let live = glance(&entries, &context.engine.directories);
    for entry in entries {
        // A pod that vanishes while we look is not there; one that can't be looked at is said so.
        match look(&entry, live.get(&entry.uuid)) {
            Ok(view) => views.extend(view),
            Err(failure) => output::warn(&format!(
                "pod {}: {}",
                entry.uuid,
                Failure::line_of(&failure)
            )),
        }
    }
    Ok(views)
}
