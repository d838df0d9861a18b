//! `fairing image verify-signature`: who signed an image, by the policy or by given keys.

use std::path::PathBuf;

use clap::Args;
use engine::Error;
use engine::images::registries;
use engine::policy::circumstances::circumstances;
use engine::policy::files as policy_files;
use image_name::{Prefix, Repository};
use trust::{Basis, Explanation, Policy, PolicySource, Rule, explain, verify};

use super::signed_image::SignedImage;
use crate::arguments::format::{Format, format};
use crate::command::subcommand::Subcommand;
use crate::context::Context;
use crate::keys::files as key_files;
use crate::wording::failure::Failure;
use engine::policy::remedy::COMMAND_LINE;

/// Arguments of `image verify-signature`.
#[derive(Debug, Args)]
pub(crate) struct VerifySignature {
    /// Reference, or the beginning of a digest in the store
    #[arg(value_name = "IMAGE")]
    image: String,
    /// File of a public key that may have signed, in place of the policy; may be given again
    #[arg(long = "key", value_name = "KEY.pub")]
    keys: Vec<PathBuf>,
    /// How many of the keys must have signed
    #[arg(
        long,
        value_name = "COUNT",
        default_value_t = 1,
        requires = "keys",
        allow_negative_numbers = true
    )]
    threshold: usize,
    /// How to show what was verified: text, json, or a template
    #[arg(short, long, value_name = "FORMAT", value_parser = format, default_value = "text")]
    format: Format,
}

impl Subcommand for VerifySignature {
    const NAME: &'static str = "verify-signature";
    const ABOUT: &'static str = "Verify who signed an image, by the policy or by given keys";

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let options = registries::fetch_options(&context.engine)?;
        let _pin = context.engine.store().pin()?;
        let image = SignedImage::find(context, &self.image, &options)?;
        let policy = self.policy(context, image.reference.repository())?;
        let known = image.signatures(context)?;
        let evidence = known.as_evidence();
        let subject = image.subject();
        let at = circumstances(&context.engine.store(), &policy, &image.reference)?;
        let verified = verify(&policy, &subject, &evidence, &at);
        let explanation = explain(&policy, &subject, &evidence, &at);
        self.format.show(&explanation, || text(&explanation))?;
        match verified?.verification() {
            basis if basis.policy == Basis::SignedBy => Ok(0),
            basis => Err(Failure::Engine(Error::NotSigned {
                reference: image.reference.to_string(),
                reason: basis.to_string(),
            })),
        }
    }
}

impl VerifySignature {
    /// The policy in force, or one of the given keys. A key that is revoked doesn't count by either.
    fn policy(&self, context: &Context, repository: &Repository) -> Result<Policy, Failure> {
        let in_force = policy_files::read(&context.engine.directories)?;
        if self.keys.is_empty() {
            return Ok(in_force);
        }
        let mut keys = Vec::with_capacity(self.keys.len());
        for path in &self.keys {
            keys.push(key_files::read_public(path)?);
        }
        let prefix = Prefix::from(repository);
        let rule = Rule::signed_by(prefix, &keys, self.threshold)
            .map_err(|error| Failure::Usage(format!("--key: {error}")))?;
        let given = PolicySource {
            path: PathBuf::from(COMMAND_LINE),
            text: rule.to_toml(),
        };
        let mut policy = Policy::parse(&[], &[given])?;
        policy.revoke_as(&in_force);
        Ok(policy)
    }
}

/// One line for each signature that counts, and for what was attested.
fn text(explanation: &Explanation) -> String {
    let mut text = String::new();
    for signature in explanation.signatures.iter().filter(|one| one.counts) {
        if let Some(key) = signature.key {
            text.push_str(&format!(
                "{} by {key}: {}\n",
                signature.format, signature.why
            ));
        }
    }
    for attestation in explanation.attestations.iter().filter(|one| one.met) {
        if let Some(key) = attestation.key {
            text.push_str(&format!("{} by {key}\n", attestation.predicate_type));
        }
    }
    text
}
