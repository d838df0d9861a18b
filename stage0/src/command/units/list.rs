//! `fairing units list`.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::Args;
use quadlet::Severity;
use serde::Serialize;

use super::sources::installed;
use crate::arguments::listing::{ListArguments, values};
use crate::command::subcommand::Subcommand;
use crate::console::output;
use crate::console::table::{Cut, Table};
use crate::context::Context;
use crate::wording::failure::Failure;

/// What templates see of each.
const FIELDS: &[&str] = &["unit", "source", "members", "starts-with"];

/// Arguments of `units list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Print the names of the units alone
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    shown: ListArguments,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Row {
    unit: String,
    source: PathBuf,
    members: Vec<PathBuf>,
    starts_with: Vec<String>,
}

impl Subcommand for List {
    const NAME: &'static str = "list";
    const ABOUT: &'static str = "List the units that are made of files";
    const ALIASES: &'static [&'static str] = &["ls"];
    const NEEDS_ROOT: bool = false;

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let generated = installed(context)?;
        let errors = generated.findings.iter();
        let errors = errors.filter(|finding| finding.severity == Severity::Error);
        let mut told = BTreeSet::new();
        for line in errors.map(ToString::to_string) {
            if told.insert(line.clone()) {
                output::warn(&line);
            }
        }
        let rows: Vec<Row> = generated
            .units
            .into_iter()
            .map(|unit| Row {
                starts_with: started_by(&unit.links),
                unit: unit.name,
                source: unit.source,
                members: unit.members,
            })
            .collect();
        if self.quiet {
            let names: String = rows.iter().map(|row| format!("{}\n", row.unit)).collect();
            output::text(&names)?;
            return Ok(0);
        }
        self.shown
            .show(&rows, FIELDS, || values(&rows), || table(&rows))?;
        Ok(0)
    }
}

/// The units that want this one.
fn started_by(links: &[quadlet::Link]) -> Vec<String> {
    let directories = links.iter().filter_map(|link| link.path.split_once('/'));
    let names = directories.filter_map(|(directory, _)| directory.rsplit_once('.'));
    names.map(|(name, _)| name.to_owned()).collect()
}

fn table(rows: &[Row]) -> Table {
    let mut table =
        Table::new(&["UNIT", "STARTS WITH", "SOURCE"]).cut(&[Cut::Never, Cut::End, Cut::Start]);
    for row in rows {
        table.row([
            row.unit.clone(),
            row.starts_with.join(","),
            row.source.display().to_string(),
        ]);
    }
    table
}
