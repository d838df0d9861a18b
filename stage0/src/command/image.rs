//! `fairing image …`: the images of the store.

mod cat_manifest;
pub(crate) mod copy;
mod export;
mod extract;
mod gc;
pub(crate) mod history;
mod import;
pub(crate) mod inspect;
pub(crate) mod list;
mod pattern;
pub(crate) mod rm;
mod sign;
mod signatures;
mod signed_image;
pub(crate) mod tag;
mod verify;
mod verify_signature;

use clap::{ArgMatches, Command};

use super::subcommand::{Entry, delegate, help_flags};
use super::{fetch, load, push, save};
use crate::context::Context;
use crate::wording::failure::Failure;

const COMMANDS: &[Entry] = &[
    Entry::of::<list::List>(),
    Entry::of::<inspect::Inspect>(),
    Entry::of::<history::History>(),
    Entry::of::<cat_manifest::CatManifest>(),
    Entry::of::<tag::Tag>(),
    Entry::of::<import::Import>(),
    Entry::of::<export::Export>(),
    Entry::of::<extract::Extract>(),
    Entry::of::<copy::Copy>(),
    Entry::of::<sign::Sign>(),
    Entry::of::<signatures::Signatures>(),
    Entry::of::<verify_signature::VerifySignature>(),
    Entry::of::<verify::Verify>(),
    Entry::of::<rm::Rm>(),
    Entry::of::<gc::Gc>(),
    Entry::of::<fetch::Fetch>().hidden(),
    Entry::of::<push::Push>().hidden(),
    Entry::of::<save::Save>().hidden(),
    Entry::of::<load::Load>().hidden(),
];

pub(super) fn define() -> Command {
    let command = Command::new("image")
        .about("Work with the images of the store")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands(COMMANDS.iter().map(|entry| entry.command()));
    help_flags(command, Some('h'))
}

pub(super) fn run(matches: &ArgMatches, context: &Context) -> Result<u8, Failure> {
    delegate(COMMANDS, "image ", matches, context)
}
