//! `fairing trust explain`: which rule decides about an image, and why.

use clap::Args;
use engine::Error;
use engine::images::choice::record;
use engine::images::registries;
use engine::policy::circumstances::{circumstances, now};
use engine::policy::evidence::KnownEvidence;
use engine::policy::files as policy_files;
use image_document::Platform;
use serde::Serialize;
use trust::{Explanation, Subject, explain, explain_name};

use crate::arguments::format::Format;
use crate::command::subcommand::Subcommand;
use crate::console::output;
use crate::context::Context;
use crate::wording::failure::Failure;
use crate::wording::refusal::{self, Origin};

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

/// An explanation with what would allow the image, if it is refused.
#[derive(Debug, Serialize)]
struct Advised {
    #[serde(flatten)]
    explanation: Explanation,
    advice: Vec<String>,
}

impl Subcommand for Explain {
    const NAME: &'static str = "explain";
    const ABOUT: &'static str = "Explain which rule decides about an image, and why";

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let explanation = self.explain(context)?;
        let advice = explanation.refusal.as_ref();
        let advice = advice.map_or_else(Vec::new, |refusal| refusal::advice(refusal, Origin::Name));
        match self.format {
            Format::Json => output::json(&Advised {
                explanation,
                advice,
            })?,
            Format::Text => {
                output::line(&explanation.to_string())?;
                for line in advice {
                    output::line(&format!("  {line}"))?;
                }
            }
        }
        Ok(0)
    }
}

impl Explain {
    fn explain(&self, context: &Context) -> Result<Explanation, Failure> {
        let policy = policy_files::read(&context.engine.directories)?;
        let record = match record(&context.engine, &self.image) {
            Ok(record) => record,
            Err(error @ Error::NotInStore { .. }) => {
                let image = registries::candidate(&context.engine, &self.image)?;
                // A file has no name to explain, nor has a digest.
                let reference = image.reference().ok_or(error)?;
                let mut explanation = explain_name(&policy, reference, now());
                explanation
                    .verdict
                    .push_str(" (the image is not in the store)");
                return Ok(explanation);
            }
            Err(error) => return Err(error.into()),
        };
        let store = context.engine.store();
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
