//! `fairing cat-manifest`: the exact record of a pod.

use clap::Args;
use pod::manifest::PodManifest;

use super::Subcommand;
use crate::arguments::selector::OnePod;
use crate::context::Context;
use crate::failure::Failure;
use crate::output;

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
        let entry = context.pods().find(&self.pod.selector()?)?;
        output::json(&PodManifest::load(&entry.path)?)?;
        Ok(0)
    }
}
