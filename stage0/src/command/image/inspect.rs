//! `fairing image inspect`: everything about one image, as JSON.

use clap::Args;
use engine::images::choice::record;
use image_document::Platform;
use image_store::Signature;
use oci_spec::image::ImageConfiguration;
use pod::timestamp::Timestamp;
use serde::Serialize;

use super::list::time;
use crate::arguments::listing::{Inspected, inspected, rendered};
use crate::command::subcommand::Subcommand;
use crate::console::output;
use crate::context::Context;
use crate::wording::docker_members::{of_image, with};
use crate::wording::failure::Failure;

/// Arguments of `image inspect`.
#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// Reference, or the beginning of a digest
    #[arg(value_name = "IMAGE")]
    image: String,
    /// How to show the image: json, or a template such as '{{.Config.Env}}'
    #[arg(short, long, value_name = "FORMAT", value_parser = inspected, default_value = "json")]
    format: Inspected,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Inspection {
    reference: String,
    digest: String,
    manifest: String,
    config_digest: String,
    size: u64,
    fetched: Timestamp,
    last_used: Timestamp,
    source: String,
    layers: Vec<String>,
    signatures: Vec<SignatureView>,
    /// Sigstore bundles, as JSON where they are JSON.
    bundles: Vec<BundleView>,
    config: ImageConfiguration,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct SignatureView {
    subject: String,
    payload: String,
    signature: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct BundleView {
    subject: String,
    bundle: serde_json::Value,
}

impl Subcommand for Inspect {
    const NAME: &'static str = "inspect";
    const ABOUT: &'static str = "Print what the store knows of an image, as JSON or by a template";

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let inspection = inspection(context, &self.image)?;
        match &self.format {
            Inspected::Json => output::json(&inspection)?,
            Inspected::Lines(template) => {
                let value = serde_json::to_value(&inspection)
                    .map_err(|error| Failure::Other(format!("cannot write as JSON: {error}")))?;
                let words = of_image(&value);
                output::line(&rendered(template, &with(value, words))?)?;
            }
        }
        Ok(0)
    }
}

/// What the store knows of an image.
///
/// # Errors
/// If it isn't there, or can't be read.
pub(crate) fn inspection(context: &Context, image: &str) -> Result<Inspection, Failure> {
    let store = context.engine.store();
    let _pin = store.pin()?;
    let record = record(&context.engine, image)?;
    let image = store.image(&record.digest, &Platform::host())?;
    let (mut signatures, mut bundles) = (Vec::new(), Vec::new());
    for subject in image.chain() {
        let view = |signature: Signature| SignatureView {
            subject: subject.to_string(),
            payload: String::from_utf8_lossy(&signature.payload).into_owned(),
            signature: signature.signature,
        };
        let known = store.signatures(subject)?;
        signatures.extend(known.simple.into_iter().map(view));
        bundles.extend(known.bundles.iter().map(|bundle| BundleView {
            subject: subject.to_string(),
            bundle: serde_json::from_slice(bundle).unwrap_or_else(|_| {
                serde_json::Value::String(String::from_utf8_lossy(bundle).into_owned())
            }),
        }));
    }
    Ok(Inspection {
        reference: record.reference.to_string(),
        digest: record.digest.to_string(),
        manifest: image.manifest_digest().to_string(),
        config_digest: image.config_digest().to_string(),
        size: image.size(),
        fetched: time(record.fetched_at),
        last_used: time(record.used_at),
        source: record.source,
        layers: image
            .layers()
            .iter()
            .map(|layer| layer.diff_id.to_string())
            .collect(),
        signatures,
        bundles,
        config: image.config().clone(),
    })
}
