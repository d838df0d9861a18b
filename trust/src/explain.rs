//! Explanations: which rules match an image, which decides, and why, for `trust explain`.

use std::fmt;
use std::path::PathBuf;

use oci_spec::image::Digest;
use serde::Serialize;

use crate::fingerprint::Fingerprint;
use crate::name::{Prefix, Repository};
use crate::one_line;
use crate::policy::{PlacedRule, Policy};
use crate::rule::Requirement;
use crate::signed::{self, MAX_SIGNATURES, SignatureLayer};
use crate::verified::Verification;
use crate::verify::{self, Subject};

/// Everything that bears on the verdict about an image. Serialised with kebab-case names; shown
/// over several lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Explanation {
    /// The image, as shown to the user.
    pub reference: String,
    /// The repository that rules are matched with.
    pub repository: Repository,
    /// The platform manifest; none if only the name was asked about.
    pub manifest: Option<Digest>,
    /// Whether the image may run; none if only the name was asked about.
    pub allowed: Option<bool>,
    /// The verdict, in one line.
    pub verdict: String,
    /// What the pod's record would say; only if allowed.
    pub verification: Option<Verification>,
    /// What would allow the image; only if refused.
    pub advice: Vec<String>,
    /// All rules in force that cover the repository, the one that decides first.
    pub rules: Vec<RuleExplanation>,
    /// How many rules in force are for other names.
    pub other_rules: usize,
    /// The vendor's files that a local file replaces.
    pub masked: Vec<PathBuf>,
    /// The signatures found, if the rule that decides asks for any.
    pub signatures: Vec<SignatureExplanation>,
}

/// One rule that covers the image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct RuleExplanation {
    /// Its prefix.
    pub prefix: Prefix,
    /// Its file.
    pub file: PathBuf,
    /// Its type, as in the file.
    pub r#type: &'static str,
    /// Whether it decides: the one of the longest prefix does.
    pub decides: bool,
    /// What it asks for, or why it doesn't decide.
    pub why: String,
}

/// One signature, against the rule that decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct SignatureExplanation {
    /// The key that made it, if it is one of the rule's.
    pub key: Option<Fingerprint>,
    /// Whether it counts.
    pub counts: bool,
    /// What it is for, or why it doesn't count.
    pub why: String,
}

/// Explains the verdict about an image.
pub fn explain(
    policy: &Policy,
    subject: &Subject<'_>,
    signatures: &[SignatureLayer],
) -> Explanation {
    let mut explanation = explain_name(policy, subject.reference, subject.repository);
    explanation.manifest = Some(subject.manifest.clone());
    explanation.signatures = examine(policy, subject, signatures);
    match verify::verify(policy, subject, signatures) {
        Ok(image) => {
            explanation.allowed = Some(true);
            explanation.verdict = format!("allowed: {}", image.verification());
            explanation.verification = Some(image.verification().clone());
        }
        Err(refusal) => {
            explanation.allowed = Some(false);
            let cause = std::error::Error::source(&refusal);
            let cause = cause.map(|cause| format!(": {cause}")).unwrap_or_default();
            explanation.verdict = format!("refused: {refusal}{cause}");
            explanation.advice = refusal.advice();
        }
    }
    explanation
}

/// Explains which rule decides about a name, for an image that isn't in the store.
pub fn explain_name(policy: &Policy, reference: &str, repository: &Repository) -> Explanation {
    let decider = policy.deciding(repository);
    let rules: Vec<_> = policy
        .covering(repository)
        .map(|placed| {
            let decides = decider == Some(placed);
            let why = match decider {
                Some(longer) if !decides => {
                    format!("{:?} is longer", longer.rule().prefix().as_str())
                }
                _ => asks(placed),
            };
            RuleExplanation {
                prefix: placed.rule().prefix().clone(),
                file: placed.file().to_owned(),
                r#type: placed.rule().requirement().word(),
                decides,
                why,
            }
        })
        .collect();
    let verdict = match decider {
        Some(placed) => {
            format!(
                "decided by rule {:?}: {}",
                placed.rule().prefix().as_str(),
                asks(placed)
            )
        }
        None => format!("refused: no trust rule covers {repository}"),
    };
    Explanation {
        reference: reference.to_owned(),
        repository: repository.clone(),
        manifest: None,
        allowed: None,
        verdict,
        verification: None,
        advice: Vec::new(),
        other_rules: policy.rules().len() - rules.len(),
        rules,
        masked: policy
            .masked()
            .iter()
            .map(|masked| masked.file.clone())
            .collect(),
        signatures: Vec::new(),
    }
}

/// What a rule asks for, in words.
fn asks(placed: &PlacedRule) -> String {
    match placed.rule().requirement() {
        Requirement::SignedBy { keys, threshold } => {
            let names: Vec<_> = keys
                .iter()
                .map(|key| match key.decode() {
                    Ok(key) => key.fingerprint().to_string(),
                    Err(error) => format!("an unreadable key ({error})"),
                })
                .collect();
            let names = names.join(", ");
            match keys.len() {
                1 => format!("wants a signature by {names}"),
                _ => format!("wants signatures by {threshold} of {names}"),
            }
        }
        Requirement::Digest { digests } => {
            let digests: Vec<_> = digests.iter().map(AsRef::<str>::as_ref).collect();
            format!("wants one of {}", digests.join(", "))
        }
        Requirement::AcceptUnsigned => "accepts every image without a signature".to_owned(),
        Requirement::Reject => "rejects every image".to_owned(),
    }
}

fn examine(
    policy: &Policy,
    subject: &Subject<'_>,
    signatures: &[SignatureLayer],
) -> Vec<SignatureExplanation> {
    let Some(placed) = policy.deciding(subject.repository) else {
        return Vec::new();
    };
    let Requirement::SignedBy { keys, .. } = placed.rule().requirement() else {
        return Vec::new();
    };
    // A broken key is the verdict; no signature is judged by the others then.
    let Ok(keys) = verify::decode(placed, keys) else {
        return Vec::new();
    };
    let mut counted = Vec::new();
    signatures
        .iter()
        .take(MAX_SIGNATURES)
        .map(|layer| {
            let examined = signed::examine(&keys, subject, layer);
            let again = examined.key.is_some_and(|key| counted.contains(&key));
            let (counts, why) = match examined.verdict {
                Ok(_) if again => (false, "its key has signed already".to_owned()),
                Ok(digest) => {
                    counted.extend(examined.key);
                    (true, format!("signs {digest}"))
                }
                Err(flaw) => (false, flaw.to_string()),
            };
            SignatureExplanation {
                key: examined.key,
                counts,
                why,
            }
        })
        .collect()
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "image:      {}", one_line::plain(&self.reference))?;
        writeln!(f, "repository: {}", self.repository)?;
        if let Some(manifest) = &self.manifest {
            writeln!(f, "manifest:   {manifest}")?;
        }
        for rule in &self.rules {
            let role = if rule.decides { "decides" } else { "matches" };
            let file = one_line::path(&rule.file);
            let (prefix, why) = (rule.prefix.as_str(), &rule.why);
            writeln!(
                f,
                "rule:       {prefix:?} {} of {file} {role}: {why}",
                rule.r#type
            )?;
        }
        if self.other_rules > 0 {
            writeln!(f, "rules for other names: {}", self.other_rules)?;
        }
        for file in &self.masked {
            writeln!(f, "masked:     {}", one_line::path(file))?;
        }
        for signature in &self.signatures {
            let role = if signature.counts {
                "counts"
            } else {
                "does not count"
            };
            match &signature.key {
                Some(key) => writeln!(f, "signature:  by {key} {role}: {}", signature.why)?,
                None => writeln!(f, "signature:  {role}: {}", signature.why)?,
            }
        }
        write!(f, "verdict:    {}", self.verdict)?;
        for line in &self.advice {
            write!(f, "\n  {line}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
