//! `fairing volume export`.

use std::path::PathBuf;

use clap::Args;
use engine::volumes::store;
use pod::named_volumes::NamedVolumeName;

use crate::command::export::write_trees;
use crate::command::subcommand::Subcommand;
use crate::context::Context;
use crate::wording::failure::Failure;

/// Arguments of `volume export`.
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// Name of the volume
    #[arg(value_name = "VOLUME")]
    name: NamedVolumeName,
    /// File to write, whether it is there or not [default: standard output]
    #[arg(value_name = "FILE", conflicts_with = "output")]
    file: Option<PathBuf>,
    /// The same
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Subcommand for Export {
    const NAME: &'static str = "export";
    const ABOUT: &'static str = "Write what is in a volume as a tar file";

    fn run(self, context: &Context) -> Result<u8, Failure> {
        // It is not removed meanwhile.
        let (volume, _hold) = store::hold(&context.engine, &self.name)?;
        write_trees(&[volume.data().into()], self.output.or(self.file))
    }
}
