//! `fairing kube …`: pods in YAML, by the words that podman has.

mod generate;

use clap::{ArgMatches, Command};

use self::generate::{GenerateKube, KubeGenerate};
use super::down::Down;
use super::play::Play;
use super::subcommand::{Entry, delegate, help_flags};
use crate::context::Context;
use crate::wording::failure::Failure;

const COMMANDS: &[Entry] = &[
    Entry::of::<Play>(),
    Entry::of::<Down>(),
    Entry::of::<KubeGenerate>(),
];

const GENERATED: &[Entry] = &[Entry::of::<GenerateKube>()];

pub(super) fn define() -> Command {
    group(
        "kube",
        "Run pods that are written in YAML, end them, and write them",
        COMMANDS,
    )
}

pub(super) fn run(matches: &ArgMatches, context: &Context) -> Result<u8, Failure> {
    delegate(COMMANDS, "kube ", matches, context)
}

pub(super) fn define_generate() -> Command {
    group("generate", "Write what makes a pod again", GENERATED)
}

pub(super) fn run_generate(matches: &ArgMatches, context: &Context) -> Result<u8, Failure> {
    delegate(GENERATED, "generate ", matches, context)
}

fn group(name: &'static str, about: &'static str, entries: &[Entry]) -> Command {
    let command = Command::new(name)
        .about(about)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands(entries.iter().map(|entry| entry.command()));
    help_flags(command, Some('h'))
}
