//! `fairing image signatures`: what the store or the registry has in favour of an image.

use clap::Args;
use engine::images::registries;
use engine::policy::circumstances::circumstances;
use engine::policy::files as policy_files;
use serde::Serialize;
use trust::{SignatureFacts, signature_facts};

use super::signed_image::SignedImage;
use crate::arguments::listing::{ListArguments, values};
use crate::command::subcommand::Subcommand;
use crate::console::table::{Cut, Table};
use crate::context::Context;
use crate::wording::failure::Failure;

/// What templates see of each.
const FIELDS: &[&str] = &[
    "format",
    "key",
    "signed-digest",
    "signed-at",
    "predicate-type",
    "rule",
    "flaw",
];

/// Arguments of `image signatures`.
#[derive(Debug, Args)]
pub(crate) struct Signatures {
    /// Reference, or the beginning of a digest in the store
    #[arg(value_name = "IMAGE")]
    image: String,
    #[command(flatten)]
    shown: ListArguments,
}

/// What `--format=json` shows.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct View {
    reference: String,
    in_store: bool,
    digests: Vec<String>,
    signatures: Vec<SignatureFacts>,
}

impl Subcommand for Signatures {
    const NAME: &'static str = "signatures";
    const ABOUT: &'static str = "List the signatures and attestations of an image";

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let policy = policy_files::read(&context.engine.directories)?;
        let options = registries::fetch_options(&context.engine)?;
        let _pin = context.engine.store().pin()?;
        let image = SignedImage::find(context, &self.image, &options)?;
        let known = image.signatures(context)?;
        let subject = image.subject();
        let at = circumstances(&context.engine.store(), &policy, &image.reference)?;
        let signatures = signature_facts(&policy, &subject, &known.as_evidence(), &at);
        let view = View {
            in_store: image.in_store,
            digests: image.chain().iter().map(ToString::to_string).collect(),
            reference: image.reference.to_string(),
            signatures,
        };
        let signatures = &view.signatures;
        self.shown.show(
            &view,
            FIELDS,
            || values(signatures),
            || self.table(signatures),
        )?;
        Ok(0)
    }
}

impl Signatures {
    fn table(&self, signatures: &[SignatureFacts]) -> Table {
        let short = |text: String| match text.strip_prefix("sha256:") {
            Some(digits) if !self.shown.full => digits.chars().take(12).collect(),
            _ => text,
        };
        let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        let heading = ["FORMAT", "KEY", "SIGNED", "TIME", "TYPE", "RULE"];
        let mut table = Table::new(&heading).cut(&[
            Cut::Never,
            Cut::Never,
            Cut::Never,
            Cut::End,
            Cut::End,
            Cut::End,
        ]);
        for one in signatures {
            let digest = one
                .signed_digest
                .as_ref()
                .map(|digest| short(digest.to_string()));
            let rule = match (&one.rule, &one.flaw) {
                (Some(prefix), _) => prefix.to_string(),
                (None, flaw) => format!("none: {}", flaw.as_deref().unwrap_or("it doesn't count")),
            };
            table.row(vec![
                one.format.to_owned(),
                or_dash(one.key.map(|key| short(key.to_string()))),
                or_dash(digest),
                or_dash(one.signed_at.map(|time| time.to_string())),
                one.predicate_type
                    .as_deref()
                    .unwrap_or("signature")
                    .to_owned(),
                rule,
            ]);
        }
        table
    }
}
