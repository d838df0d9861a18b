//! `fairing network …`: the networks that pods can join.

mod create;
mod gc;
mod inspect;
mod list;
mod lookup;
mod rm;

use clap::{ArgMatches, Command};

use super::subcommand::{Entry, delegate, help_flags};
use crate::context::Context;
use crate::wording::failure::Failure;

const COMMANDS: &[Entry] = &[
    Entry::of::<list::List>(),
    Entry::of::<inspect::Inspect>(),
    Entry::of::<create::Create>(),
    Entry::of::<rm::Rm>(),
    Entry::of::<gc::Gc>(),
];

pub(super) fn define() -> Command {
    let command = Command::new("network")
        .about("Work with the networks that pods can join")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands(COMMANDS.iter().map(|entry| entry.command()));
    help_flags(command, Some('h'))
}

pub(super) fn run(matches: &ArgMatches, context: &Context) -> Result<u8, Failure> {
    delegate(COMMANDS, "network ", matches, context)
}
