//! `fairing volume …`: the volumes that outlive pods.

mod create;
mod export;
mod import;
mod inspect;
mod list;
mod prune;
mod rm;
mod view;

use clap::{ArgMatches, Command};

use super::subcommand::{Entry, delegate, help_flags};
use crate::context::Context;
use crate::wording::failure::Failure;

const COMMANDS: &[Entry] = &[
    Entry::of::<create::Create>(),
    Entry::of::<list::List>(),
    Entry::of::<inspect::Inspect>(),
    Entry::of::<rm::Rm>(),
    Entry::of::<prune::Prune>(),
    Entry::of::<export::Export>(),
    Entry::of::<import::Import>(),
];

pub(super) fn define() -> Command {
    let command = Command::new("volume")
        .about("Work with the volumes that outlive pods")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands(COMMANDS.iter().map(|entry| entry.command()));
    help_flags(command, Some('h'))
}

pub(super) fn run(matches: &ArgMatches, context: &Context) -> Result<u8, Failure> {
    delegate(COMMANDS, "volume ", matches, context)
}
