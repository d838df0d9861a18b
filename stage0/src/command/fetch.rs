//! `fairing fetch`: brings images into the store.

use clap::Args;
use engine::Error;
use engine::images::choice::{Choice, fall_back, first_in_store};
use engine::images::fetch::{TakenName, fetch_first};
use engine::images::registries::{self, Candidate};
use engine::policy::verifier::{Verifier, warn_if_unsigned};
use image_store::RefRecord;

use crate::arguments::image_flags::Pull;
use crate::arguments::retry::RetryArguments;
use crate::command::several::for_each;
use crate::command::subcommand::Subcommand;
use crate::console::observer::Console;
use crate::console::output;
use crate::context::Context;
use crate::start::service;
use crate::wording::failure::Failure;

/// Arguments of `fetch`.
#[derive(Debug, Args)]
pub(crate) struct Fetch {
    /// References, or sources such as oci:DIR
    #[arg(value_name = "IMAGE", required = true)]
    images: Vec<String>,
    /// When to fetch
    #[arg(long, value_enum, value_name = "WHEN", default_value = "always")]
    pull: Pull,
    #[command(flatten)]
    retry: RetryArguments,
    /// Print only digests and warnings, no progress
    #[arg(long, short)]
    quiet: bool,
}

impl Subcommand for Fetch {
    const NAME: &'static str = "fetch";
    const ABOUT: &'static str = "Fetch images and print the digests of their manifests";
    const ALIASES: &'static [&'static str] = &["pull"];

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let context = &self.retry.context(context, service::has_started_this());
        let console = Console { quiet: self.quiet };
        let verifier = Verifier::new(&context.engine, &console)?;
        for_each(&self.images, |image| {
            let engine = &context.engine;
            let candidates = registries::candidates(engine, image)?;
            let use_known = |record: RefRecord| {
                let _pin = engine.store().pin()?;
                let choice = Choice::from(record);
                let image = verifier.at_start(&choice.reference, &choice.top)?;
                image.warn_if_unsigned(&console);
                choice.note_use(engine);
                output::line(image.image().manifest_digest().as_ref())
            };
            let is_of_store = candidates.iter().all(Candidate::is_of_store);
            let known = match self.pull {
                Pull::Always if !is_of_store => None,
                _ => first_in_store(engine, &candidates)?,
            };
            let mut fallback = None;
            match known {
                Some(record) if self.pull == Pull::Newer && !is_of_store => fallback = Some(record),
                Some(record) => return use_known(record),
                None => {}
            }
            let sources: Vec<_> = candidates
                .into_iter()
                .filter_map(Candidate::into_source)
                .collect();
            if self.pull == Pull::Never || sources.is_empty() {
                let reference = image.to_owned();
                return Err(Error::NotInStore { reference }.into());
            }
            let fetched = fetch_first(engine, &verifier, image, &sources, TakenName::Moves, |_| {});
            let fetched = match fetched {
                Err(error) => {
                    return use_known(
                        fall_back(fallback, error, &console).map_err(Failure::of_pull)?,
                    );
                }
                Ok(fetched) => fetched,
            };
            warn_if_unsigned(&fetched.proof, &console);
            output::line(fetched.image.manifest_digest().as_ref())
        })
    }
}
