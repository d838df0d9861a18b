//! `fairing image cat-manifest`: the manifest of an image, as it is.

use clap::Args;
use engine::images::choice::record;
use image_document::Platform;

use crate::command::subcommand::Subcommand;
use crate::console::output;
use crate::context::Context;
use crate::wording::failure::Failure;

/// Arguments of `image cat-manifest`.
#[derive(Debug, Args)]
pub(crate) struct CatManifest {
    /// Reference, or the beginning of a digest
    #[arg(value_name = "IMAGE")]
    image: String,
    /// The index, if that is what the name stands for, instead of the platform's manifest
    #[arg(long)]
    index: bool,
}

impl Subcommand for CatManifest {
    const NAME: &'static str = "cat-manifest";
    const ABOUT: &'static str = "Print the manifest of an image byte for byte";

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let store = context.engine.store();
        let _pin = store.pin()?;
        let record = record(&context.engine, &self.image)?;
        let image = store.image(&record.digest, &Platform::host())?;
        let digest = match self.index {
            true => &record.digest,
            false => image.manifest_digest(),
        };
        output::bytes(&store.manifest(digest)?)?;
        Ok(0)
    }
}
