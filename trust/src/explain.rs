//! Explanations: which rules match an image, which decides, and why, for `trust explain`.

use std::fmt;
use std::path::PathBuf;

use image_name::{Digest, Prefix, Reference, Repository};
use serde::Serialize;

use crate::fingerprint::Fingerprint;
use crate::held_key;
use crate::key_text::KeyText;
use crate::one_line;
use crate::policy::{PlacedRule, Policy};
use crate::refusal::Refusal;
use crate::rule::{AttestationDemand, Requirement, Rule};
use crate::rule_id::place;
use crate::signed::{Evidence, Examined, MAX_BUNDLES, MAX_SIGNATURES};
use crate::subject::Subject;
use crate::timestamp::Timestamp;
use crate::verified::Verification;
use crate::verify::{self, Case, Circumstances};

/// Everything that bears on the verdict about an image. Serialised with kebab-case names; shown
/// over several lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Explanation {
    /// The image.
    pub reference: Reference,
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
    /// Why it was refused, for advice.
    #[serde(skip)]
    pub refusal: Option<Refusal>,
    /// All rules in force that cover the repository, the one that decides first.
    pub rules: Vec<RuleExplanation>,
    /// How many rules in force are for other names.
    pub other_rules: usize,
    /// The vendor's files that a local file replaces.
    pub masked: Vec<PathBuf>,
    /// The signatures and attestations found, if the rule that decides asks for any.
    pub signatures: Vec<SignatureExplanation>,
    /// The attestations that the rule that decides demands.
    pub attestations: Vec<AttestationExplanation>,
}

/// One rule that covers the image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct RuleExplanation {
    /// Its prefix.
    pub prefix: Prefix,
    /// Its file.
    pub file: PathBuf,
    /// The line in it where the rule begins, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// Its type, as in the file.
    pub r#type: &'static str,
    /// Whether it decides: the one of the longest prefix does.
    pub decides: bool,
    /// What it asks for, or why it doesn't decide.
    pub why: String,
}

/// One attestation that the rule that decides demands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct AttestationExplanation {
    /// Its predicate type.
    pub predicate_type: String,
    /// The key that signed one, if one counts.
    pub key: Option<Fingerprint>,
    /// Whether the demand is met.
    pub met: bool,
    /// What is demanded or, if that is not met, why not.
    pub why: String,
}

/// One signature, against the rule that decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct SignatureExplanation {
    /// Its format: `simple` (cosign's tag format) or `bundle` (Sigstore's).
    pub format: &'static str,
    /// The key that made it, if it is one of the rule's.
    pub key: Option<Fingerprint>,
    /// Whether it counts.
    pub counts: bool,
    /// What it is for, or why it doesn't count.
    pub why: String,
    /// Whether its key has signed the same before, in another format perhaps.
    #[serde(skip)]
    pub repeated: bool,
}

/// Explains the verdict about an image.
pub fn explain(
    policy: &Policy,
    subject: &Subject<'_>,
    evidence: &Evidence<'_>,
    at: &Circumstances,
) -> Explanation {
    let mut explanation = explain_name(policy, subject.reference, at.now);
    explanation.manifest = Some(subject.manifest.clone());
    if let Some(placed) = policy.deciding(subject.reference) {
        let case = Case {
            policy,
            placed,
            subject,
            evidence,
            at,
        };
        let mut counted = Vec::new();
        signatures(
            &case,
            placed.rule().requirement(),
            &mut counted,
            &mut explanation,
        );
        let demands = placed.rule().attestations().iter();
        explanation.attestations = demands.map(|demand| attestation(&case, demand)).collect();
    }
    match verify::verify(policy, subject, evidence, at) {
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
            explanation.refusal = Some(refusal);
        }
    }
    explanation
}

/// Explains which rule decides about a name, for an image that isn't in the store.
pub fn explain_name(policy: &Policy, image: &Reference, now: Timestamp) -> Explanation {
    let decider = policy.deciding(image);
    let asks = |placed: &PlacedRule| asks(policy, placed.rule(), now);
    let rules: Vec<_> = policy
        .covering(image)
        .map(|placed| {
            let decides = decider == Some(placed);
            let why = match decider {
                Some(other) if !decides && other.rule().prefix() == placed.rule().prefix() => {
                    "another is for the Kubernetes namespace".to_owned()
                }
                Some(longer) if !decides => {
                    format!("{:?} is longer", longer.rule().prefix().as_str())
                }
                _ => asks(placed),
            };
            RuleExplanation {
                prefix: placed.rule().prefix().clone(),
                file: placed.file().to_owned(),
                line: placed.line(),
                r#type: placed.rule().requirement().word(),
                decides,
                why,
            }
        })
        .collect();
    let repository = image.repository();
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
        reference: image.clone(),
        repository: repository.clone(),
        manifest: None,
        allowed: None,
        verdict,
        verification: None,
        refusal: None,
        other_rules: policy.rules().len() - rules.len(),
        rules,
        masked: policy
            .masked()
            .iter()
            .map(|masked| masked.file.clone())
            .collect(),
        signatures: Vec::new(),
        attestations: Vec::new(),
    }
}

/// Examines every signature by each requirement that asks for any.
fn signatures(
    case: &Case<'_>,
    requirement: &Requirement,
    counted: &mut Vec<Fingerprint>,
    explanation: &mut Explanation,
) {
    match requirement {
        Requirement::All(requirements) => {
            for requirement in requirements {
                signatures(case, requirement, &mut Vec::new(), explanation);
            }
        }
        Requirement::SignedBy { keys, identity, .. } => {
            // A broken key is the verdict; no signature is judged by the others then.
            let Ok(keys) = case.hold(keys) else { return };
            let wanted = case.wanted(&keys, identity);
            let simple = case.evidence.simple.iter().take(MAX_SIGNATURES);
            let bundles = case.evidence.bundles.iter().take(MAX_BUNDLES);
            let all = simple
                .map(|layer| ("simple", wanted.simple(layer)))
                .chain(bundles.map(|bundle| ("bundle", wanted.bundle(bundle))));
            explanation
                .signatures
                .extend(all.map(|(format, examined)| signature(format, examined, counted)));
        }
        _ => {}
    }
}

fn signature(
    format: &'static str,
    examined: Examined,
    counted: &mut Vec<Fingerprint>,
) -> SignatureExplanation {
    let again = examined.key.is_some_and(|key| counted.contains(&key));
    let is_good = examined.verdict.is_ok();
    let (counts, why) = match examined.verdict {
        Ok(_) if again => (false, "its key has already signed".to_owned()),
        Ok(accepted) => {
            counted.extend(examined.key);
            let at = accepted.time.map(|time| format!(" on {time}"));
            (
                true,
                format!("signs {}{}", accepted.digest, at.unwrap_or_default()),
            )
        }
        Err(flaw) => (false, flaw.to_string()),
    };
    SignatureExplanation {
        format,
        key: examined.key,
        counts,
        why,
        repeated: again && is_good,
    }
}

fn attestation(case: &Case<'_>, demand: &AttestationDemand) -> AttestationExplanation {
    let found = case.attested(demand);
    AttestationExplanation {
        predicate_type: demand.predicate_type.clone(),
        key: found.as_ref().ok().map(|attested| attested.key),
        met: found.is_ok(),
        why: match found {
            Ok(_) => conditions(demand),
            Err(refusal) => refusal.to_string(),
        },
    }
}

fn conditions(demand: &AttestationDemand) -> String {
    let conditions = demand.conditions.iter().map(ToString::to_string);
    match conditions.collect::<Vec<_>>() {
        none if none.is_empty() => "whatever it says".to_owned(),
        conditions => conditions.join(" and "),
    }
}

/// What a rule asks for, in words.
fn asks(policy: &Policy, rule: &Rule, now: Timestamp) -> String {
    let mut text = wants(policy, rule.requirement(), now);
    for demand in rule.attestations() {
        let kind = &demand.predicate_type;
        text.push_str(&format!(
            ", and an attestation {kind}: {}",
            conditions(demand)
        ));
    }
    if rule.is_monotonic() {
        text.push_str(", none older than one seen before");
    }
    if !rule.integrity().is_default() {
        text.push_str(&format!(", and integrity {}", rule.integrity()));
    }
    text
}

fn wants(policy: &Policy, requirement: &Requirement, now: Timestamp) -> String {
    match requirement {
        Requirement::SignedBy {
            keys, threshold, ..
        } => {
            let names: Vec<_> = keys.iter().map(|key| name(policy, key, now)).collect();
            let names = names.join(", ");
            match keys.len() {
                1 => format!("requires a signature by {names}"),
                _ => format!("requires signatures by {threshold} of {names}"),
            }
        }
        Requirement::Digest { digests } => {
            let digests: Vec<_> = digests.iter().map(AsRef::<str>::as_ref).collect();
            format!("requires one of {}", digests.join(", "))
        }
        Requirement::AcceptUnsigned => "accepts every image without a signature".to_owned(),
        Requirement::Reject => "rejects every image".to_owned(),
        Requirement::Unsupported(what) => {
            format!("asks for {what}, which is not supported: rejects every image")
        }
        Requirement::All(requirements) => {
            let all = requirements.iter().map(|one| wants(policy, one, now));
            all.collect::<Vec<_>>().join(", and ")
        }
    }
}

/// A key by its fingerprint, and why it doesn't count if it doesn't.
fn name(policy: &Policy, text: &KeyText, now: Timestamp) -> String {
    match text.decode() {
        Ok(key) => {
            let fingerprint = key.fingerprint();
            match held_key::unfit(policy, fingerprint, text.validity(), now) {
                Some(unfit) => format!("{fingerprint} ({unfit})"),
                None => fingerprint.to_string(),
            }
        }
        Err(error) => format!("an unreadable key ({error})"),
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "image:      {}", self.reference)?;
        writeln!(f, "repository: {}", self.repository)?;
        if let Some(manifest) = &self.manifest {
            writeln!(f, "manifest:   {manifest}")?;
        }
        for rule in &self.rules {
            let role = if rule.decides { "decides" } else { "matches" };
            let file = place(&rule.file, rule.line);
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
        for signature in self.signatures.iter().filter(|one| !one.repeated) {
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
        for attestation in &self.attestations {
            let role = if attestation.met { "found" } else { "missing" };
            let kind = one_line::plain(&attestation.predicate_type);
            writeln!(f, "attestation: {kind} {role}: {}", attestation.why)?;
        }
        write!(f, "verdict:    {}", self.verdict)
    }
}

#[cfg(test)]
mod tests;
