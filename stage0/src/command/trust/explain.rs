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

use crate::arguments::format::{Format, format};
use crate::command::subcommand::Subcommand;
use crate::context::Context;
use crate::wording::failure::Failure;
use engine::policy::remedy::{self, Origin};

/// Arguments of `trust explain`.
#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// Reference, or the beginning of a digest in the store
    #[arg(value_name = "IMAGE")]
    image: String,
    /// As for pods that a kubelet runs in this namespace of Kubernetes
    #[arg(long, value_name = "NAME")]
    kubernetes_namespace: Option<String>,
    /// How to show the explanation: text, json, or a template
    #[arg(short, long, value_name = "FORMAT", value_parser = format, default_value = "text")]
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
        let advice = advice.map_or_else(Vec::new, |refusal| remedy::advice(refusal, Origin::Name));
        let advised = Advised {
            explanation,
            advice,
        };
        let text = || {
            let lines = advised.advice.iter().map(|line| format!("  {line}\n"));
            format!("{}\n{}", advised.explanation, lines.collect::<String>())
        };
        self.format.show(&advised, text)?;
        Ok(0)
    }
}

impl Explain {
    fn explain(&self, context: &Context) -> Result<Explanation, Failure> {
        let policy = policy_files::read(&context.engine.directories)?
            .for_kubernetes_namespace(self.kubernetes_namespace.as_deref());
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
