//! `fairing network gc`.

use clap::Args;

use crate::command::Subcommand;
use crate::context::Context;
use crate::failure::Failure;
use crate::network_gc::clear;

/// Arguments of `network gc`.
#[derive(Debug, Args)]
pub(crate) struct Gc {}

impl Subcommand for Gc {
    const NAME: &'static str = "gc";
    const ABOUT: &'static str = "Give back what pods that were killed hold of networks, and remove networks that nobody is in";

    fn run(self, context: &Context) -> Result<u8, Failure> {
        crate::command::for_each(clear(context, &[]), Err)
    }
}
