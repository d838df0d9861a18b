//! `fairing fetch`: brings images into the store.

use clap::Args;

use super::{Subcommand, for_each};
use crate::arguments::image_flags::Pull;
use crate::context::Context;
use crate::failure::Failure;
use crate::fetching::{self, Show};
use crate::image_choice::in_store;
use crate::verify::{Verifier, warn_if_unsigned};
use crate::{output, registries};

/// Arguments of `fetch`.
#[derive(Debug, Args)]
pub(crate) struct Fetch {
    /// References, or sources such as oci:DIR
    #[arg(value_name = "IMAGE", required = true)]
    images: Vec<String>,
    /// When to fetch
    #[arg(long, value_enum, value_name = "WHEN", default_value = "always")]
    pull: Pull,
    /// Print the digests and warnings alone, without progress
    #[arg(long, short)]
    quiet: bool,
}

impl Subcommand for Fetch {
    const NAME: &'static str = "fetch";
    const ABOUT: &'static str = "Fetch images and print the digests of their manifests";
    const ALIASES: &'static [&'static str] = &["pull"];

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let verifier = Verifier::new(context)?;
        let show = match self.quiet {
            true => Show::Nothing,
            false => Show::Progress,
        };
        for_each(&self.images, |image| {
            let _pin = context.store().pin()?;
            let names = registries::full_names(context, image)?;
            // A digest alone tells no registry.
            let is_digest = names.iter().any(|name| name.starts_with("sha256:"));
            if self.pull != Pull::Always || is_digest {
                match in_store(context, image) {
                    Ok(choice) => {
                        let image = verifier.at_start(&choice.reference, &choice.top)?;
                        image.warn_if_unsigned();
                        choice.note_use(context);
                        return output::line(image.image().manifest_digest().as_ref());
                    }
                    Err(Failure::NotInStore { .. }) if self.pull == Pull::Missing && !is_digest => {
                    }
                    Err(failure) => return Err(failure),
                }
            }
            let fetched = fetching::fetch_first(context, &verifier, &names, show)?;
            warn_if_unsigned(&fetched.proof);
            output::line(fetched.image.manifest_digest().as_ref())
        })
    }
}
