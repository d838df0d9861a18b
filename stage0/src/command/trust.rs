//! `fairing trust …`: keys and the rules that name them.

mod add;
mod allow;
mod explain;
mod hub;
mod key_argument;
mod keygen;
pub(super) mod known_keys;
mod list;
pub(super) mod offer;
mod pin;
mod revoke;
mod rm;
mod rule_file;
mod show;
mod test_policy;

use clap::{ArgMatches, Command};

use super::subcommand::{Entry, delegate, help_flags};
use crate::context::Context;
use crate::wording::failure::Failure;

const COMMANDS: &[Entry] = &[
    Entry::of::<keygen::Keygen>(),
    Entry::of::<add::Add>(),
    Entry::of::<allow::Allow>(),
    Entry::of::<list::List>(),
    Entry::of::<show::Show>(),
    Entry::of::<rm::Rm>(),
    Entry::of::<revoke::Revoke>(),
    Entry::of::<explain::Explain>(),
    Entry::of::<test_policy::TestPolicy>(),
];

pub(super) fn define() -> Command {
    let command = Command::new("trust")
        .about("Work with keys and with the rules that decide which images may run")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands(COMMANDS.iter().map(|entry| entry.command()));
    help_flags(command, Some('h'))
}

pub(super) fn run(matches: &ArgMatches, context: &Context) -> Result<u8, Failure> {
    delegate(COMMANDS, "trust ", matches, context)
}
