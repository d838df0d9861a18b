//! `fairing network …`: the networks that pods can join.

mod create;
mod gc;
mod inspect;
mod list;
mod rm;

use clap::{ArgMatches, Command};
use cni_glue::config::{NetworkList, Source};
use cni_glue::id::NetworkName;

use super::{Entry, delegate};
use crate::context::Context;
use crate::failure::Failure;
use crate::network_settings::networks;

const COMMANDS: &[Entry] = &[
    Entry::of::<list::List>(),
    Entry::of::<inspect::Inspect>(),
    Entry::of::<create::Create>(),
    Entry::of::<rm::Rm>(),
    Entry::of::<gc::Gc>(),
];

pub(super) fn define() -> Command {
    Command::new("network")
        .about("Work with the networks that pods can join")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands(COMMANDS.iter().map(|entry| (entry.define)()))
}

pub(super) fn run(matches: &ArgMatches, context: &Context) -> Result<u8, Failure> {
    delegate(COMMANDS, "network ", matches, context)
}

/// The network of that name.
fn find(context: &Context, name: &NetworkName) -> Result<NetworkList, Failure> {
    let networks = networks(context)?;
    let found = networks.get(name).cloned();
    found.ok_or_else(|| {
        let known: Vec<_> = networks
            .lists()
            .iter()
            .map(|list| list.name.as_str())
            .collect();
        Failure::Other(format!(
            "no such network: {name}; there are: {}",
            known.join(", ")
        ))
    })
}

/// Where a network is configured, in words.
fn source(list: &NetworkList) -> String {
    match &list.source {
        Source::BuiltIn | Source::Kept => "built in".to_owned(),
        Source::File(path) => path.display().to_string(),
    }
}

/// Its plugins, in order.
fn plugins(list: &NetworkList) -> Vec<String> {
    list.plugins
        .iter()
        .map(|plugin| plugin.kind.clone())
        .collect()
}
