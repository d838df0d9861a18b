//! `fairing system …`: this fairing as a whole.

mod df;
pub(crate) mod info;

use clap::{ArgMatches, Command};

use super::subcommand::{Entry, delegate, help_flags};
use crate::context::Context;
use crate::wording::failure::Failure;

const COMMANDS: &[Entry] = &[Entry::of::<df::Df>(), Entry::of::<info::SystemInfo>()];

pub(super) fn define() -> Command {
    let command = Command::new("system")
        .about("Show what fairing takes and has")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands(COMMANDS.iter().map(|entry| entry.command()));
    help_flags(command, Some('h'))
}

pub(super) fn run(matches: &ArgMatches, context: &Context) -> Result<u8, Failure> {
    delegate(COMMANDS, "system ", matches, context)
}
