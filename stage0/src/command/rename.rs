//! `fairing rename`: gives a pod another name.

use clap::Args;
use engine::pods::rename::rename;
use pod::PodName;

use crate::command::subcommand::Subcommand;
use crate::context::Context;
use crate::wording::failure::Failure;

/// Arguments of `rename`.
#[derive(Debug, Args)]
pub(crate) struct Rename {
    /// Name or UUID of the pod, or the beginning of its UUID
    #[arg(value_name = "POD")]
    pod: String,
    /// Its name from now on
    #[arg(value_name = "NAME")]
    name: PodName,
}

impl Subcommand for Rename {
    const NAME: &'static str = "rename";
    const ABOUT: &'static str = "Give a pod another name";

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let entry = context.pod(&self.pod)?;
        rename(&context.engine, &entry, &self.pod, &self.name)?;
        Ok(0)
    }
}
