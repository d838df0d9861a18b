//! `fairing trust test-policy`: whether the policy decides as it should.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;
use engine::policy::circumstances::now;
use engine::policy::files as policy_files;
use trust::CaseOutcome;

use crate::arguments::format::{Format, format};
use crate::command::subcommand::Subcommand;
use crate::context::Context;
use crate::wording::failure::Failure;

/// Largest file of cases, in bytes.
const FILE_MAX: u64 = 1 << 20;
/// The exit code if a case fails, apart from those of failures.
const FAILED: u8 = 1;

/// Arguments of `trust test-policy`.
#[derive(Debug, Args)]
pub(crate) struct TestPolicy {
    /// File of cases: images, who signed them, and whether they must run
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// How to show the results: text, json, or a template
    #[arg(short, long, value_name = "FORMAT", value_parser = format, default_value = "text")]
    format: Format,
}

impl Subcommand for TestPolicy {
    const NAME: &'static str = "test-policy";
    const ABOUT: &'static str = "Test whether the policy decides as it should; exits with 1 if not";
    const NEEDS_ROOT: bool = false;

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let text = read(&self.file)?;
        let policy = policy_files::read(&context.engine.directories)?;
        let outcomes = trust::test_policy(&policy, &text, now()).map_err(|error| {
            Failure::Other(format!("policy test {}: {error}", self.file.display()))
        })?;
        self.format.show(&outcomes, || lines(&outcomes))?;
        match outcomes.iter().all(|outcome| outcome.passed) {
            true => Ok(0),
            false => Ok(FAILED),
        }
    }
}

fn lines(outcomes: &[CaseOutcome]) -> String {
    let mut text = String::new();
    for outcome in outcomes {
        let word = if outcome.passed { "ok  " } else { "FAIL" };
        text.push_str(&format!("{word} {}: {}", outcome.name, outcome.verdict));
        if let Some(expected) = &outcome.expected {
            text.push_str(&format!("; expected: {expected}"));
        }
        text.push('\n');
    }
    let failed = outcomes.iter().filter(|outcome| !outcome.passed).count();
    text.push_str(&format!("{} cases, {failed} failed\n", outcomes.len()));
    text
}

fn read(path: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    File::open(path)
        .map_err(Failure::io("open", path))?
        .take(FILE_MAX + 1)
        .read_to_string(&mut text)
        .map_err(Failure::io("read", path))?;
    match text.len() as u64 > FILE_MAX {
        true => Err(Failure::Other(format!(
            "{} is larger than {FILE_MAX} bytes",
            path.display()
        ))),
        false => Ok(text),
    }
}
