//! `fairing network gc`.

use clap::Args;
use engine::networks::collection::AfterFailure;

use super::lookup::clear;
use crate::command::subcommand::Subcommand;
use crate::context::Context;
use crate::wording::failure::Failure;

/// Arguments of `network gc`.
#[derive(Debug, Args)]
pub(crate) struct Gc {
    /// Give up what plugins don't give back of dead pods: it is told once more, and not tried again
    #[arg(long)]
    force: bool,
}

impl Subcommand for Gc {
    const NAME: &'static str = "gc";
    const ABOUT: &'static str =
        "Free what killed pods still hold in networks, and remove networks that no pod is in";

    fn run(self, context: &Context) -> Result<u8, Failure> {
        clear(
            context,
            match self.force {
                true => AfterFailure::Forget,
                false => AfterFailure::Remember,
            },
        )
    }
}
