//! `fairing units check`.

use std::path::PathBuf;

use clap::Args;
use quadlet::{Severity, Unit};
use serde::Serialize;

use super::sources::made;
use crate::arguments::format::{Format, format};
use crate::command::play::mistakes;
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
        let mut findings: Vec<Row> = generated
            .findings
            .iter()
            .map(|finding| Row {
                severity: finding.severity.word(),
                file: finding.path.clone(),
                line: finding.line,
                key: finding.key.clone(),
                reason: finding.reason.clone(),
                unit: finding.unit.clone(),
                text: finding.to_string(),
            })
            .collect();
        for unit in &generated.units {
            findings.extend(of_start(context, unit));
        }
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

/// What is wrong with the command line of a unit, and with the files that it names, as far as that is known before it is
/// started: what systemd is to put in is not.
fn of_start(context: &Context, unit: &Unit) -> Vec<Row> {
    let Some(argv) = &unit.argv else {
        return Vec::new();
    };
    let words = argv.iter().map(Into::into).collect();
    let reasons = match (context.understands)(words) {
        Ok(matches) => mistakes(&matches),
        Err(failure) => vec![failure.line()],
    };
    let row = |reason: String| Row {
        severity: Severity::Error.word(),
        file: unit.source.clone(),
        line: None,
        key: None,
        text: format!(
            "{}: {} can't start: {reason}",
            unit.source.display(),
            unit.name
        ),
        reason,
        unit: Some(unit.name.clone()),
    };
    reasons.into_iter().map(row).collect()
}
