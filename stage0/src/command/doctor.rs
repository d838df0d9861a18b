//! `fairing doctor`: what this machine offers, and what fairing does where something is missing.

use clap::Args;
use engine::machine::Machine;

use crate::arguments::listing::{ListArguments, values};
use crate::command::subcommand::Subcommand;
use crate::console::table::{Cut, Table};
use crate::context::Context;
use crate::wording::doctor::{Check, Severity, checks};
use crate::wording::exit_code::{MACHINE_LACKS, MACHINE_UNFIT};
use crate::wording::failure::Failure;

/// What templates see of each.
const FIELDS: &[&str] = &["area", "subject", "severity", "found", "meaning"];

/// Arguments of `doctor`.
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// Show only what is not as it should be, without a heading
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    shown: ListArguments,
}

impl Subcommand for Doctor {
    const NAME: &'static str = "doctor";
    const ABOUT: &'static str =
        "Look whether pods can run on this machine, and what they would lack";
    const ALIASES: &'static [&'static str] = &["check"];
    const NEEDS_ROOT: bool = false;
    const EPILOGUE: Option<&'static str> = Some(
        "Exit codes:\n    0  pods run, and lack nothing\n  108  pods run, and lack something: a warning says what\n  \
         109  no pod runs, or nothing is fetched: an error says why",
    );

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let all = checks(&Machine::read(&context.engine));
        let worst = all.iter().map(|check| check.severity).max();
        let is_shown = |check: &&Check| !self.quiet || check.severity > Severity::Note;
        let shown: Vec<&Check> = all.iter().filter(is_shown).collect();
        self.shown.without_legend_if(self.quiet).show(
            &shown,
            FIELDS,
            || values(&shown),
            || table(&shown),
        )?;
        Ok(match worst {
            Some(Severity::Error) => MACHINE_UNFIT,
            Some(Severity::Warning) => MACHINE_LACKS,
            Some(Severity::Fine | Severity::Note) | None => 0,
        })
    }
}

fn table(checks: &[&Check]) -> Table {
    let heading = ["STATE", "AREA", "CHECK", "FOUND"];
    let mut table = Table::new(&heading).cut(&[Cut::Never, Cut::Never, Cut::Never, Cut::Fold]);
    for check in checks {
        let found = match &check.meaning {
            Some(meaning) => format!("{}: {meaning}", check.found),
            None => check.found.clone(),
        };
        table.row([check.severity.word(), check.area, &check.subject, &found]);
    }
    table
}
