//! `fairing volume prune`.

use clap::Args;
use engine::error::VolumeError;
use engine::volumes::store;

use super::view::{all, check, is_shown};
use crate::arguments::filter::{Filter, filter};
use crate::command::several::for_each;
use crate::command::subcommand::Subcommand;
use crate::console::output;
use crate::context::Context;
use crate::terminal::question::{confirm, somebody_is_there};
use crate::wording::failure::Failure;

/// Arguments of `volume prune`.
#[derive(Debug, Args)]
pub(crate) struct Prune {
    /// Don't ask
    #[arg(short, long, visible_alias = "yes")]
    force: bool,
    // All that no pod uses go in any case.
    #[arg(short, long, hide = true)]
    all: bool,
    /// Only volumes of this name or label; may be repeated
    #[arg(long = "filter", value_name = "KEY=VALUE", value_parser = filter)]
    filters: Vec<Filter>,
}

impl Subcommand for Prune {
    const NAME: &'static str = "prune";
    const ABOUT: &'static str = "Remove all volumes that no pod uses, with all that is in them";

    fn run(self, context: &Context) -> Result<u8, Failure> {
        check(&self.filters)?;
        let mut views = all(context)?;
        views.retain(|view| view.pods.is_empty() && is_shown(view, &self.filters));
        if views.is_empty() {
            return Ok(0);
        }
        if !self.force {
            let names: Vec<&str> = views.iter().map(|view| view.name.as_str()).collect();
            let prompt = format!("Remove {} with all that is in them?", names.join(", "));
            if !somebody_is_there() {
                return Err(Failure::Other(
                    "there is no terminal to ask on; look at `fairing volume list --filter dangling=true`, and add \
                     --force"
                        .to_owned(),
                ));
            }
            if !confirm(&prompt)? {
                return Err(Failure::Other(
                    "nothing was removed: the answer was no".to_owned(),
                ));
            }
        }
        for_each(views, |view| {
            match store::remove(&context.engine, &view.name, &context.console) {
                // Others were faster, to remove it or to use it.
                Err(engine::Error::Volume(
                    VolumeError::Unknown(_) | VolumeError::InUse { .. } | VolumeError::Held(_),
                )) => Ok(()),
                other => {
                    other?;
                    output::line(view.name.as_str())
                }
            }
        })
    }
}
