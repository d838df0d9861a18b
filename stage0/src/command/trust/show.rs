//! `fairing trust show`: one rule, or one key, in full.

use std::path::Path;

use clap::Args;
use engine::policy::files as policy_files;
use image_name::Prefix;
use trust::{PlacedRule, Policy, PublicKey, Validity};

use super::key_argument;
use super::known_keys::{KnownKey, known_keys};
use crate::command::subcommand::Subcommand;
use crate::console::output;
use crate::context::Context;
use crate::keys::files as key_files;
use crate::wording::failure::Failure;

/// Arguments of `trust show`.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// Prefix of a rule; fingerprint of a key, or its first digits; or file of a key
    #[arg(value_name = "PREFIX|FINGERPRINT|KEY.pub")]
    wanted: String,
}

impl Subcommand for Show {
    const NAME: &'static str = "show";
    const ABOUT: &'static str = "Show a rule or a key in full";
    const NEEDS_ROOT: bool = false;

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let policy = policy_files::read(&context.engine.directories)?;
        let rule = Prefix::parse(&self.wanted)
            .ok()
            .and_then(|prefix| policy.rule_of(&prefix));
        let text = match rule {
            Some(placed) => rule_text(placed),
            None if Path::new(&self.wanted).is_file() => {
                let key = key_files::read_public(Path::new(&self.wanted))?;
                key_text(&policy, &key)
            }
            None => key_text(&policy, &self.known(&policy)?),
        };
        output::text(&text)?;
        Ok(0)
    }
}

/// The rule as a policy file has it, below where it stands.
fn rule_text(placed: &PlacedRule) -> String {
    format!("# {}\n{}", placed.file().display(), placed.rule().to_toml())
}

impl Show {
    /// The key that a rule names by this fingerprint.
    fn known(&self, policy: &Policy) -> Result<PublicKey, Failure> {
        let wanted = match key_argument::fingerprint(&self.wanted) {
            // It may be the prefix of a rule that isn't there, too.
            Err(Failure::Usage(reason)) => {
                return Err(Failure::Usage(format!(
                    "no rule has the prefix {:?}, there is no such file, and {reason}",
                    self.wanted
                )));
            }
            Err(Failure::Other(_)) if !self.wanted.ends_with(".pub") => {
                return Err(Failure::Other(format!(
                    "{:?} is neither the prefix of a rule, nor a fingerprint, nor a file; `fairing trust list` \
                     shows rules and keys",
                    self.wanted
                )));
            }
            other => other?,
        };
        let mut found: Vec<KnownKey<'_>> = known_keys(policy);
        found.retain(|known| known.fingerprint.starts_with(&wanted));
        let Some(first) = found.first() else {
            return Err(Failure::Other(format!(
                "no rule has the prefix {0:?}, and no key the fingerprint; `fairing trust list` \
                 shows what there is",
                self.wanted
            )));
        };
        let fingerprint = first.fingerprint;
        if found.iter().any(|known| known.fingerprint != fingerprint) {
            return Err(Failure::Other(format!(
                "{:?} matches several keys; give more of the fingerprint",
                self.wanted
            )));
        }
        Ok(first.key.clone())
    }
}

/// A key, what it is trusted for, and whether it is revoked.
fn key_text(policy: &Policy, key: &PublicKey) -> String {
    let fingerprint = key.fingerprint();
    let mut text = format!(
        "fingerprint: {fingerprint}\nalgorithm:   {}\n",
        key.algorithm()
    );
    for known in known_keys(policy) {
        if known.fingerprint == fingerprint {
            text.push_str(&format!(
                "trusted for: {}{} ({})\n",
                known.placed.rule().prefix(),
                limits(known.text.validity()),
                known.placed.file().display()
            ));
        }
    }
    for placed in policy.revoked() {
        if placed.revocation().fingerprint == fingerprint {
            let since = placed.revocation().since;
            let since = since.map(|since| format!(" since {since}"));
            text.push_str(&format!(
                "revoked:     by {}{}\n",
                placed.file().display(),
                since.unwrap_or_default()
            ));
        }
    }
    text.push_str(&key.to_pem());
    text
}

/// From when to when a key counts, in words; nothing where it always does.
pub(super) fn limits(validity: Validity) -> String {
    let mut text = String::new();
    if let Some(time) = validity.not_before {
        text.push_str(&format!(" from {time}"));
    }
    if let Some(time) = validity.not_after {
        text.push_str(&format!(" until {time}"));
    }
    text
}
