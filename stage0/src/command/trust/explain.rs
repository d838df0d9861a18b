//! `fairing trust explain`: which rule decides about an image, and why.

use clap::Args;
use engine::Error;
use engine::images::choice::record;
use engine::images::registries::{self, Candidate};
use engine::policy::circumstances::{circumstances, now};
use engine::policy::evidence::KnownEvidence;
use engine::policy::files as policy_files;
use engine::policy::names;
use image_document::Platform;
use image_store::{ImageArgument, RefRecord, Store};
use serde::Serialize;
use trust::{Explanation, Policy, Refusal, Subject, explain, explain_name};

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
#[serde(rename_all = "kebab-case")]
struct Advised {
    #[serde(flatten)]
    explanation: Explanation,
    /// What the policy says of the image by its other names, where it was asked for by its digest.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    other_names: Vec<OtherName>,
    advice: Vec<String>,
}

/// An image by another of its names.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct OtherName {
    reference: String,
    allowed: Option<bool>,
    verdict: String,
}

impl From<Explanation> for OtherName {
    fn from(explanation: Explanation) -> Self {
        Self {
            reference: explanation.reference.to_string(),
            allowed: explanation.allowed,
            verdict: explanation.verdict,
        }
    }
}

impl Subcommand for Explain {
    const NAME: &'static str = "explain";
    const ABOUT: &'static str = "Explain which rule decides about an image, and why";

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let mut explanations = self.explain(context)?;
        // Asked for by its digest, it runs by any name that the policy lets it run by.
        let is_rolled_back = |by: &Explanation| {
            let mut all = explanations.iter();
            all.any(|other| {
                other.repository == by.repository
                    && matches!(other.refusal, Some(Refusal::RolledBack { .. }))
            })
        };
        // Its digest is no way around the age of a tag.
        let is_allowed = |by: &Explanation| {
            by.allowed == Some(true) && (by.reference.tag().is_some() || !is_rolled_back(by))
        };
        let deciding = explanations.iter().position(is_allowed).unwrap_or(0);
        let explanation = explanations.remove(deciding);
        let advice = explanation.refusal.as_ref();
        let advice = advice.map_or_else(Vec::new, |refusal| remedy::advice(refusal, Origin::Name));
        let advised = Advised {
            explanation,
            other_names: explanations.into_iter().map(OtherName::from).collect(),
            advice,
        };
        let text = || {
            let others = advised.other_names.iter();
            let others =
                others.map(|other| format!("also named: {}: {}\n", other.reference, other.verdict));
            let lines = advised.advice.iter().map(|line| format!("  {line}\n"));
            format!(
                "{}\n{}{}",
                advised.explanation,
                others.collect::<String>(),
                lines.collect::<String>()
            )
        };
        self.format.show(&advised, text)?;
        Ok(0)
    }
}

impl Explain {
    /// What decides about the image by each of its names, the most wanted first; one at least.
    fn explain(&self, context: &Context) -> Result<Vec<Explanation>, Failure> {
        let policy = policy_files::read(&context.engine.directories)?
            .for_kubernetes_namespace(self.kubernetes_namespace.as_deref());
        let engine = &context.engine;
        let store = engine.store();
        let not_there = |error| {
            let image = registries::candidate(engine, &self.image)?;
            // A file has no name to explain, nor has a digest.
            let reference = image.reference().ok_or(error)?;
            let mut explanation = explain_name(&policy, reference, now());
            explanation
                .verdict
                .push_str(" (the image is not in the store)");
            Ok(vec![explanation])
        };
        let records = match registries::candidate(engine, &self.image)? {
            Candidate::Digest(digits) => names::by_digits(&store, &digits)?,
            _ => match record(engine, &self.image) {
                Ok(record) => vec![record],
                Err(error @ Error::NotInStore { .. }) => match self.by_digits(&store)? {
                    none if none.is_empty() => return not_there(error),
                    names => names,
                },
                Err(error) => return Err(error.into()),
            },
        };
        if records.is_empty() {
            return Err(Failure::Engine(Error::NotInStore {
                reference: self.image.clone(),
            }));
        }
        let _pin = store.pin()?;
        let explained = records
            .iter()
            .map(|record| explain_record(&store, &policy, record));
        explained.collect()
    }
}

impl Explain {
    /// An ID without the name of its algorithm.
    fn by_digits(&self, store: &Store) -> Result<Vec<RefRecord>, Failure> {
        let argument = ImageArgument::parse(&self.image).map_err(Error::from)?;
        match argument.as_digest() {
            Some(digits) => Ok(names::by_digits(store, &digits)?),
            None => Ok(Vec::new()),
        }
    }
}

fn explain_record(
    store: &Store,
    policy: &Policy,
    record: &RefRecord,
) -> Result<Explanation, Failure> {
    let image = store.image(&record.digest, &Platform::host())?;
    let known = KnownEvidence::read(store, image.chain())?;
    let subject = Subject {
        reference: &record.reference,
        digests: image.chain(),
        manifest: image.manifest_digest(),
    };
    let at = circumstances(store, policy, &record.reference)?;
    Ok(explain(policy, &subject, &known.as_evidence(), &at))
}
