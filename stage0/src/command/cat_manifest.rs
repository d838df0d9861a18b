//! `fairing cat-manifest`: the exact record of a pod.

use clap::Args;
use pod::manifest::PodManifest;

use crate::arguments::selector::OnePod;
use crate::command::subcommand::Subcommand;
use crate::console::output;
use crate::context::Context;
use crate::wording::failure::Failure;

/// Arguments of `cat-manifest`.
#[derive(Debug, Args)]
pub(crate) struct CatManifest {
    #[command(flatten)]
    pod: OnePod,
}

impl Subcommand for CatManifest {
    const NAME: &'static str = "cat-manifest";
    const ABOUT: &'static str = "Print the manifest of a pod as JSON";

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let entry = context.pod(&self.pod.selector()?)?;
        output::json(&PodManifest::load(&entry.path)?)?;
        Ok(0)
    }
}
