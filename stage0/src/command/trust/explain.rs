//! `fairing trust explain`: which rule decides about an image, and why.

use clap::Args;
use image_store::{Platform, Reference};
use trust::{Explanation, Subject, explain, explain_name};

use crate::arguments::Format;
use crate::command::Subcommand;
use crate::context::Context;
use crate::evidence::KnownEvidence;
use crate::failure::Failure;
use crate::image_choice::record;
use crate::verify::{circumstances, now};
use crate::{output, policy_files, registries};

/// Arguments of `trust explain`.
#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// Reference, or the beginning of a digest in the store
    #[arg(value_name = "IMAGE")]
    image: String,
    /// How to show the explanation
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    format: Format,
}

impl Subcommand for Explain {
    const NAME: &'static str = "explain";
    const ABOUT: &'static str = "Explain which rule decides about an image, and why";

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let explanation = self.explain(context)?;
        match self.format {
            Format::Json => output::json(&explanation)?,
            Format::Text => output::line(&explanation.to_string())?,
        }
        Ok(0)
    }
}

impl Explain {
    fn explain(&self, context: &Context) -> Result<Explanation, Failure> {
        let policy = policy_files::read(&context.directories)?;
        let record = match record(context, &self.image) {
            Ok(record) => record,
            Err(Failure::NotInStore { .. }) => {
                let image = registries::full_name(context, &self.image)?;
                let name = image.strip_prefix("docker://").unwrap_or(&image);
                let reference = Reference::parse(name)?;
                let mut explanation = explain_name(&policy, &reference, now());
                explanation
                    .verdict
                    .push_str(" (the image is not in the store)");
                return Ok(explanation);
            }
            Err(failure) => return Err(failure),
        };
        let store = context.store();
        let _pin = store.pin()?;
        let image = store.image(&record.digest, &Platform::host())?;
        let known = KnownEvidence::read(&store, image.chain())?;
        let subject = Subject {
            reference: &record.reference,
            digests: image.chain(),
            manifest: image.manifest_digest(),
        };
        let at = circumstances(&store, &policy, &record.reference)?;
        Ok(explain(&policy, &subject, &known.as_evidence(), &at))
    }
}
