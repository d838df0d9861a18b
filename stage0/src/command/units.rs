//! `fairing units …`: what the generator makes of Quadlet files and Pod YAML.

mod check;
mod list;
mod show;
pub(super) mod sources;
mod start_line;

use clap::{ArgMatches, Command};

use super::subcommand::{Entry, delegate, help_flags};
use crate::context::Context;
use crate::wording::failure::Failure;

const COMMANDS: &[Entry] = &[
    Entry::of::<check::Check>(),
    Entry::of::<list::List>(),
    Entry::of::<show::Show>(),
];

pub(super) fn define() -> Command {
    let command = Command::new("units")
        .about("Look at the units of systemd that are made of files")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands(COMMANDS.iter().map(|entry| entry.command()));
    help_flags(command, Some('h'))
}

pub(super) fn run(matches: &ArgMatches, context: &Context) -> Result<u8, Failure> {
    delegate(COMMANDS, "units ", matches, context)
}
