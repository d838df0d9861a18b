//! `fairing units check`.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::Args;
use quadlet::Severity;
use serde::Serialize;

use super::sources::made;
use super::start_line::wrong;
use crate::arguments::format::{Format, format};
use crate::command::subcommand::Subcommand;
use crate::context::Context;
use crate::wording::failure::Failure;

/// What this command ends with if a file becomes no unit, or one that can't start.
const REFUSED: u8 = 1;

/// Arguments of `units check`.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// Files, and directories of them [default: those that are installed]
    #[arg(value_name = "FILE|DIRECTORY")]
    paths: Vec<PathBuf>,
    /// How to show it: text, json, or a template
    #[arg(long, value_name = "FORMAT", value_parser = format, default_value = "text")]
    format: Format,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Report {
    units: Vec<String>,
    findings: Vec<Row>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Row {
    severity: &'static str,
    file: PathBuf,
    line: Option<u32>,
    key: Option<String>,
    reason: String,
    unit: Option<String>,
    #[serde(skip)]
    text: String,
}

impl Subcommand for Check {
    const NAME: &'static str = "check";
    const ABOUT: &'static str = "Tell what is wrong with files that become units";
    const NEEDS_ROOT: bool = false;
    const EPILOGUE: Option<&'static str> = Some(
        "Exit codes:\n  0  all files become units\n  1  a file becomes none, or one that can't start what it is to start",
    );

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let generated = made(context, &self.paths)?;
        let of_starts = generated.units.iter();
        let of_starts = of_starts.flat_map(|unit| wrong(unit, context.understands));
        let all = generated.findings.iter().cloned().chain(of_starts);
        // What a drop-in says of many units is wrong once.
        let mut told = BTreeSet::new();
        let findings: Vec<Row> = all
            .map(|finding| Row {
                severity: finding.severity.word(),
                text: finding.to_string(),
                file: finding.path,
                line: finding.line,
                key: finding.key,
                reason: finding.reason,
                unit: finding.unit,
            })
            .filter(|row| told.insert(row.text.clone()))
            .collect();
        let is_error = |row: &Row| row.severity == Severity::Error.word();
        let is_refused = findings.iter().any(is_error);
        let report = Report {
            units: generated
                .units
                .iter()
                .map(|unit| unit.name.clone())
                .collect(),
            findings,
        };
        self.format.show(&report, || {
            let lines = report.findings.iter().map(|row| format!("{}\n", row.text));
            lines.collect()
        })?;
        Ok(match is_refused {
            true => REFUSED,
            false => 0,
        })
    }
}
