//! `fairing app …`: the apps of a running pod.

mod add;
mod list;
mod rm;
mod sandbox;
mod start;
mod status;
mod stop;

use clap::{ArgMatches, Command};

use super::subcommand::{Entry, delegate, help_flags};
use crate::context::Context;
use crate::wording::failure::Failure;

const COMMANDS: &[Entry] = &[
    Entry::of::<sandbox::Sandbox>(),
    Entry::of::<add::Add>(),
    Entry::of::<start::Start>(),
    Entry::of::<stop::StopApps>(),
    Entry::of::<rm::Rm>(),
    Entry::of::<list::List>(),
    Entry::of::<status::Status>(),
];

pub(super) fn define() -> Command {
    let command = Command::new("app")
        .about("Work with the apps of a running pod")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands(COMMANDS.iter().map(|entry| entry.command()));
    help_flags(command, Some('h'))
}

pub(super) fn run(matches: &ArgMatches, context: &Context) -> Result<u8, Failure> {
    delegate(COMMANDS, "app ", matches, context)
}
