//! `fairing volume rm`.

use clap::Args;
use engine::error::VolumeError;
use engine::volumes::store;
use pod::named_volumes::NamedVolumeName;

use crate::command::several::for_each;
use crate::command::subcommand::Subcommand;
use crate::console::output;
use crate::context::Context;
use crate::wording::failure::Failure;

/// Arguments of `volume rm`.
#[derive(Debug, Args)]
pub(crate) struct Rm {
    /// Names of volumes
    #[arg(value_name = "VOLUME", required = true)]
    names: Vec<NamedVolumeName>,
    /// Be content if there is no such volume; one that a pod uses stays
    #[arg(short, long)]
    force: bool,
}

impl Subcommand for Rm {
    const NAME: &'static str = "rm";
    const ABOUT: &'static str = "Remove volumes that no pod uses, with all that is in them";
    const ALIASES: &'static [&'static str] = &["remove"];

    fn run(self, context: &Context) -> Result<u8, Failure> {
        for_each(&self.names, |name| {
            match store::remove(&context.engine, name, &context.console) {
                Err(engine::Error::Volume(VolumeError::Unknown(_))) if self.force => Ok(()),
                other => {
                    other?;
                    output::line(name.as_str())
                }
            }
        })
    }
}
