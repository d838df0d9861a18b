//! `fairing image extract`: the root filesystem of an image as a directory.

use std::path::PathBuf;

use clap::Args;
use engine::images::choice::record;
use image_document::Platform;
use image_store::{Depth, tree};

use crate::command::subcommand::Subcommand;
use crate::console::interrupt::until_signal;
use crate::console::output;
use crate::context::Context;
use crate::wording::failure::Failure;
use crate::wording::warning;

/// Arguments of `image extract`.
#[derive(Debug, Args)]
pub(crate) struct Extract {
    /// Reference, or the beginning of a digest
    #[arg(value_name = "IMAGE")]
    image: String,
    /// Directory to write; must not exist
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    // There is nothing else to write.
    #[arg(long, hide = true)]
    rootfs_only: bool,
}

impl Subcommand for Extract {
    const NAME: &'static str = "extract";
    const ABOUT: &'static str =
        "Write the root filesystem of an image into a directory; nothing of it is trusted for that";
    const ALIASES: &'static [&'static str] = &["render"];

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let store = context.engine.store();
        let _pin = store.pin()?;
        let record = record(&context.engine, &self.image)?;
        let image = store.image(&record.digest, &Platform::host())?;
        store.check_layers(image.layers(), Depth::Inodes)?;
        let layers = image.layers().iter().rev();
        let trees: Vec<PathBuf> = layers.map(|layer| layer.path.clone()).collect();
        let written =
            until_signal(|interrupt| Ok(tree::extract(&trees, &self.directory, interrupt)?))?;
        for line in warning::of_tree(&written, &self.directory) {
            output::warn(&line);
        }
        output::line(&self.directory.display().to_string())?;
        Ok(0)
    }
}
