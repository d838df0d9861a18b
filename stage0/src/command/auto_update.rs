//! `fairing auto-update`, and `fairing update --all`: gives services newer images.

use std::time::Duration;

use clap::Args;
use clap::builder::BoolishValueParser;
use engine::updates::options::Options;
use engine::updates::run::{Reason, Report, Row, Updated, update};
use engine::updates::service_manager::Systemctl;
use engine::updates::trial::Step;
use serde::Serialize;
use serde_json::{Value, json};

use crate::arguments::duration::duration;
use crate::arguments::listing::ListArguments;
use crate::command::subcommand::Subcommand;
use crate::console::table::{Cut, Table};
use crate::console::{output, report};
use crate::context::Context;
use crate::wording::failure::Failure;

/// How long a service may take to come up, if nothing is said.
const LIMIT: Duration = Duration::from_secs(600);
/// For how long it has to be ready, if nothing is said.
const SETTLE: Duration = Duration::from_secs(10);

/// What templates see of each.
const FIELDS: &[&str] = &[
    "Unit",
    "Container",
    "ContainerID",
    "ContainerName",
    "Pod",
    "App",
    "Image",
    "Policy",
    "Updated",
    "From",
    "To",
    "Reason",
];

/// Arguments of `auto-update`.
#[derive(Debug, Args)]
pub(crate) struct AutoUpdate {
    /// Only these: services, or names or UUIDs of pods, of those that ask for newer images
    #[arg(value_name = "UNIT|POD")]
    names: Vec<String>,
    #[command(flatten)]
    images: ImageArguments,
}

/// How services are given newer images.
#[derive(Debug, Args)]
pub(crate) struct ImageArguments {
    /// Only look which there are
    #[arg(long)]
    dry_run: bool,
    /// Whether a service that does not come up gets its old images back; as if true
    #[arg(long, value_name = "BOOL", value_parser = BoolishValueParser::new())]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    rollback: Option<bool>,
    /// Also try images with which services did not come up before
    #[arg(long)]
    retry: bool,
    /// How long a service may take to come up; as if 10m
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    timeout: Option<Duration>,
    /// For how long it has to be ready then; as if 10s
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    settle: Option<Duration>,
    #[command(flatten)]
    shown: ListArguments,
}

impl ImageArguments {
    /// Whether anything is said of how images are updated.
    pub(crate) fn is_any_given(&self) -> bool {
        self.dry_run
            || self.rollback.is_some()
            || self.retry
            || self.timeout.is_some()
            || self.settle.is_some()
    }
}

impl Subcommand for AutoUpdate {
    const NAME: &'static str = "auto-update";
    const ABOUT: &'static str = "Give services newer images, if their pods ask for them";
    const EPILOGUE: Option<&'static str> = Some(
        "Pods ask by the label io.containers.autoupdate=registry (or =local). It is the same as `update --all`.",
    );

    fn run(self, context: &Context) -> Result<u8, Failure> {
        update_images(&self.names, &self.images, context)
    }
}

/// Gives newer images to services that ask for them: to those that are named, or to all.
///
/// # Errors
/// If nothing could be done; what went wrong with one service is printed, and keeps none of the others.
pub(crate) fn update_images(
    names: &[String],
    arguments: &ImageArguments,
    context: &Context,
) -> Result<u8, Failure> {
    let options = Options {
        rollback: arguments.rollback.unwrap_or(true),
        again: arguments.retry,
        dry_run: arguments.dry_run,
        limit: arguments.timeout.unwrap_or(LIMIT),
        settle: arguments.settle.unwrap_or(SETTLE),
    };
    let done = update(
        &context.engine,
        &context.console,
        &Systemctl,
        names,
        &options,
        &|step| tell(&step),
    )?;
    let Report {
        rows,
        problems,
        notes,
    } = done;
    for note in notes {
        output::warn(&Failure::from(note).line());
    }
    warn_of(&rows);
    let failures: Vec<Failure> = problems.into_iter().map(Failure::from).collect();
    failures.iter().for_each(report::print);
    let views: Vec<RowView> = rows
        .iter()
        .map(|row| RowView::new(row, &failures))
        .collect();
    arguments.shown.show(
        &views,
        FIELDS,
        || views.iter().map(RowView::value).collect(),
        || table(&views),
    )?;
    match failures.into_iter().next() {
        None => Ok(0),
        Some(first) => Err(Failure::Printed {
            first: Box::new(first),
        }),
    }
}

fn tell(step: &Step<'_>) {
    output::error(&match step {
        Step::Starts(unit) => format!("{unit} is started with newer images\n"),
        Step::GoesBack(unit) => format!("{unit} is started with the images that it had\n"),
    });
}

/// Says once each what is left alone, and why.
fn warn_of(rows: &[Row]) {
    let mut told = Vec::new();
    for row in rows {
        if let Some(Reason::Note(note)) = &row.reason
            && !told.contains(&note)
        {
            let help = match row.updated {
                Updated::Refused => "; --retry tries it again",
                _ => "",
            };
            output::warn(&format!("{note}{help}"));
            told.push(note);
        }
    }
}

/// An app, for showing.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct RowView {
    unit: Option<String>,
    pod: String,
    name: Option<String>,
    app: String,
    image: String,
    policy: &'static str,
    updated: &'static str,
    from: String,
    to: Option<String>,
    reason: Option<String>,
}

impl RowView {
    fn new(row: &Row, failures: &[Failure]) -> Self {
        let reason = row.reason.as_ref().and_then(|reason| match reason {
            Reason::Problem(number) => failures.get(*number).map(Failure::line),
            Reason::Note(note) => Some(note.clone()),
        });
        Self {
            unit: row.unit.as_ref().map(ToString::to_string),
            pod: row.pod.to_string(),
            name: row.pod_name.as_ref().map(ToString::to_string),
            app: row.app.to_string(),
            image: row.image.to_string(),
            policy: row.policy.word(),
            updated: word(row.updated),
            from: row.from.to_string(),
            to: row.to.as_ref().map(ToString::to_string),
            reason,
        }
    }

    /// What the pod is called.
    fn called(&self) -> &str {
        let short = self.pod.split('-').next().unwrap_or_default();
        self.name.as_deref().unwrap_or(short)
    }

    fn value(&self) -> Value {
        json!({
            "Unit": self.unit.as_deref().unwrap_or_default(),
            "Container": format!("{} ({})", self.pod, self.called()),
            "ContainerID": self.pod,
            "ContainerName": self.called(),
            "Pod": self.called(),
            "App": self.app,
            "Image": self.image,
            "Policy": self.policy,
            "Updated": self.updated,
            "From": self.from,
            "To": self.to.as_deref().unwrap_or_default(),
            "Reason": self.reason.as_deref().unwrap_or_default(),
        })
    }
}

/// As podman words it.
fn word(updated: Updated) -> &'static str {
    match updated {
        Updated::Yes => "true",
        Updated::No => "false",
        Updated::Pending => "pending",
        Updated::Failed => "failed",
        Updated::RolledBack => "rolled back",
        Updated::Refused => "refused",
    }
}

fn table(views: &[RowView]) -> Table {
    let cuts = [
        Cut::End,
        Cut::End,
        Cut::End,
        Cut::Start,
        Cut::Never,
        Cut::Never,
    ];
    let heading = ["UNIT", "POD", "APP", "IMAGE", "POLICY", "UPDATED"];
    let mut table = Table::new(&heading).cut(&cuts);
    for view in views {
        table.row([
            view.unit.as_deref().unwrap_or("-"),
            view.called(),
            &view.app,
            &view.image,
            view.policy,
            view.updated,
        ]);
    }
    table
}
