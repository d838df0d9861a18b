//! `fairing units show`.

use std::path::{Path, PathBuf};

use clap::Args;
use quadlet::{Severity, Unit};

use super::sources::{installed, made};
use crate::command::several::for_each;
use crate::command::subcommand::Subcommand;
use crate::console::output;
use crate::context::Context;
use crate::wording::failure::Failure;

/// Arguments of `units show`.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// Names of units, or files that become some
    #[arg(value_name = "UNIT|FILE", required = true)]
    units: Vec<String>,
}

impl Subcommand for Show {
    const NAME: &'static str = "show";
    const ABOUT: &'static str = "Print the units that are made of files";
    const ALIASES: &'static [&'static str] = &["print", "cat"];
    const NEEDS_ROOT: bool = false;

    fn run(self, context: &Context) -> Result<u8, Failure> {
        for_each(&self.units, |name| show(context, name))
    }
}

fn show(context: &Context, name: &str) -> Result<(), Failure> {
    let path = Path::new(name);
    let generated = match name.contains('/') || path.is_file() {
        true => made(context, &[PathBuf::from(path)])?,
        false => installed(context)?,
    };
    let file = path.file_name();
    let is_named = |path: &Path| path.file_name() == file;
    let is_meant = |unit: &&Unit| {
        unit.name == name
            || unit.name == format!("{name}.service")
            || is_named(&unit.source)
            || unit.members.iter().any(|path| is_named(path))
            || unit.links.iter().any(|link| link.path == name)
    };
    match generated.units.iter().find(is_meant) {
        Some(unit) => output::text(&unit.text),
        None => {
            let mut errors = generated.findings.iter();
            let error = errors.find(|finding| {
                let is_unit = finding.unit.as_deref() == Some(name);
                finding.severity == Severity::Error && (is_named(&finding.path) || is_unit)
            });
            Err(Failure::NoSuchName(match error {
                Some(finding) => finding.to_string(),
                None => format!(
                    "no file becomes a unit {name}; `fairing units list` has those that there are"
                ),
            }))
        }
    }
}
