//! `fairing push`: writes an image of the store, and its signatures, to a registry.

use clap::Args;
use engine::images::choice::record;
use engine::images::registries;
use image_store::{CopyOptions, ImageSource};

use super::image::copy::warn;
use crate::command::subcommand::Subcommand;
use crate::console::interrupt::until_signal;
use crate::console::output;
use crate::console::progress::Progress;
use crate::context::Context;
use crate::wording::failure::Failure;

/// Arguments of `push`.
#[derive(Debug, Args)]
pub(crate) struct Push {
    /// Reference, or the beginning of a digest in the store
    #[arg(value_name = "IMAGE")]
    image: String,
    /// Reference to write to [default: the image's own name]
    #[arg(value_name = "DEST")]
    dest: Option<String>,
    /// Leave signatures out
    #[arg(long)]
    no_signatures: bool,
    // Progress is shown on terminals alone.
    #[arg(short, long, hide = true)]
    quiet: bool,
}

impl Subcommand for Push {
    const NAME: &'static str = "push";
    const ABOUT: &'static str =
        "Write an image of the store and its signatures to a registry, and print its digest";

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let store = context.engine.store();
        let _pin = store.pin()?;
        let record = record(&context.engine, &self.image)?;
        let to = match &self.dest {
            // No registry has a name of this machine.
            None if record.reference.registry() == "localhost" => {
                return Err(Failure::Usage(format!(
                    "{} is a name of this machine: name where to write it, such as REGISTRY/{}",
                    record.reference, self.image
                )));
            }
            None => record.reference.clone(),
            Some(dest) => {
                let place = ImageSource::parse(dest)?;
                let reference = place.reference().cloned();
                reference.ok_or_else(|| {
                    Failure::Usage(format!(
                        "{place} is not a registry; `fairing image export` writes directories and files"
                    ))
                })?
            }
        };
        let mut options = CopyOptions {
            signatures: !self.no_signatures,
            access: registries::fetch_options(&context.engine)?,
            ..CopyOptions::default()
        };
        let outgoing = store.outgoing(&record)?;
        if !outgoing.is_complete() {
            output::warn(&format!(
                "the store does not have all platforms of index {}: pushing {}, the manifest of one platform, \
                 without the signatures of the index",
                record.digest,
                outgoing.pushed_digest()
            ));
        }
        let copied = until_signal(|interrupt| {
            options.access.interrupt = interrupt.clone();
            let mut progress = Progress::new(to.to_string());
            Ok(outgoing.push(&to, &options, &mut |event| progress.event(event))?)
        })?;
        warn(&copied.notes);
        output::line(copied.digest.as_ref())?;
        Ok(0)
    }
}
