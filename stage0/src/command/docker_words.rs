//! Commands by the names that docker and podman have for them, beside those of the group `image`.

use clap::Args;

use super::image::{history, tag};
use crate::command::subcommand::Subcommand;
use crate::context::Context;
use crate::wording::failure::Failure;

/// Arguments of `tag`.
#[derive(Debug, Args)]
pub(crate) struct TagWord {
    #[command(flatten)]
    tag: tag::Tag,
}

impl Subcommand for TagWord {
    const NAME: &'static str = "tag";
    const ABOUT: &'static str = tag::Tag::ABOUT;
    const HIDDEN: bool = true;

    fn run(self, context: &Context) -> Result<u8, Failure> {
        self.tag.run(context)
    }
}

/// Arguments of `history`.
#[derive(Debug, Args)]
pub(crate) struct HistoryWord {
    #[command(flatten)]
    history: history::History,
}

impl Subcommand for HistoryWord {
    const NAME: &'static str = "history";
    const ABOUT: &'static str = history::History::ABOUT;
    const HIDDEN: bool = true;

    fn run(self, context: &Context) -> Result<u8, Failure> {
        self.history.run(context)
    }
}
