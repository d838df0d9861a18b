//! Refusals: why an image must not run, in one line each.

use std::fmt;
use std::path::{Path, PathBuf};

use image_name::{Digest, Prefix, Repository};

use crate::fingerprint::Fingerprint;
use crate::flaw::{Flaw, Worst};
use crate::key_error::KeyError;
use crate::one_line::{path, plain};
use crate::policy::PlacedRule;
use crate::timestamp::Timestamp;
use crate::unfit::Unfit;

/// Names a rule: its prefix and its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleId {
    prefix: Prefix,
    file: PathBuf,
}

impl RuleId {
    pub(crate) fn of(placed: &PlacedRule) -> Self {
        Self {
            prefix: placed.rule().prefix().clone(),
            file: placed.file().to_owned(),
        }
    }

    /// The rule's prefix.
    pub fn prefix(&self) -> &Prefix {
        &self.prefix
    }

    /// The file it is in.
    pub fn file(&self) -> &Path {
        &self.file
    }
}

impl fmt::Display for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rule {:?} of {}", self.prefix.as_str(), path(&self.file))
    }
}

/// What the deciding rule demands of an image: signatures by `threshold` of `keys`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Demand {
    /// The image, as shown to the user.
    pub reference: String,
    /// Its repository.
    pub repository: Repository,
    /// The rule.
    pub rule: RuleId,
    /// The rule's distinct keys.
    pub keys: Vec<Fingerprint>,
    /// How many of them must have signed.
    pub threshold: usize,
    /// The rule's keys that don't count now, and why.
    pub unfit: Vec<(Fingerprint, Unfit)>,
    /// Why there may be signatures that are not known, a line each.
    pub unanswered: Vec<String>,
}

impl Demand {
    /// "key sha256:…" or "2 of the keys sha256:…, sha256:…".
    fn wanted(&self) -> String {
        /// Keys that a message lists before it only counts the others.
        const SHOWN: usize = 3;
        let mut keys: Vec<_> = self
            .keys
            .iter()
            .take(SHOWN)
            .map(Fingerprint::to_string)
            .collect();
        if let Some(more) = self.keys.len().checked_sub(SHOWN).filter(|more| *more > 0) {
            keys.push(format!("{more} more"));
        }
        let keys = keys.join(", ");
        match (self.threshold, self.keys.len()) {
            (_, 1) => format!("key {keys}"),
            (threshold, _) => format!("{threshold} of the keys {keys}"),
        }
    }

    /// Which keys would do nothing, and why.
    fn useless(&self) -> String {
        let mut text = String::new();
        for (key, why) in &self.unfit {
            text.push_str(&match self.keys.len() {
                1 => format!("; {why}"),
                _ => format!("; {key} does not count, {why}"),
            });
        }
        text
    }
}

/// Why an image must not run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// No rule is for the image: the default.
    #[error("image {} is not trusted: no trust rule covers {repository}", plain(.reference))]
    NoRule {
        /// The image, as shown to the user.
        reference: String,
        /// Its repository.
        repository: Repository,
        /// Whether there are signatures for it under this name, by whomever.
        signed: bool,
    },
    /// A rule says no.
    #[error("image {} is rejected by {rule}", plain(.reference))]
    Rejected {
        /// The image, as shown to the user.
        reference: String,
        /// Its repository.
        repository: Repository,
        /// The rule.
        rule: Box<RuleId>,
    },
    /// There is no signature at all.
    #[error(
        "image {} is not signed: {} requires {}{}",
        plain(&.demand.reference), .demand.rule, .demand.wanted(), lacks(.demand)
    )]
    Unsigned {
        /// What the rule demands.
        demand: Box<Demand>,
    },
    /// Some of the keys signed, but too few.
    #[error(
        "image {} is signed by {} of {} needed keys: {} requires {}{}",
        plain(&.demand.reference), .have.len(), .demand.threshold, .demand.rule, .demand.wanted(),
        lacks(.demand)
    )]
    NotEnough {
        /// What the rule demands.
        demand: Box<Demand>,
        /// The keys whose signatures counted.
        have: Vec<Fingerprint>,
    },
    /// There are signatures, none by a key of the rule (or their payloads were changed).
    #[error(
        "image {} is not signed by a trusted key: {found} {} found, {} requires {}{}",
        plain(&.demand.reference),
        if *.found == 1 { "signature by another key" } else { "signatures by other keys" },
        .demand.rule,
        .demand.wanted(),
        lacks(.demand)
    )]
    WrongKey {
        /// What the rule demands.
        demand: Box<Demand>,
        /// How many signatures there are.
        found: usize,
    },
    /// A good key made a signature that doesn't count for this image.
    #[error(
        "image {} is not signed as {} requires: a signature by key {key} does not count, {flaw}{}",
        plain(&.demand.reference), .demand.rule, unanswered(.demand)
    )]
    WrongSignature {
        /// What the rule demands.
        demand: Box<Demand>,
        /// The key that made it.
        key: Fingerprint,
        /// Why it doesn't count: for another image, for another name, or not understood.
        flaw: Box<Flaw>,
    },
    /// The rule is monotonic, and the image was signed before one that ran by the same name.
    #[error(
        "image {} is older than one seen before under this name: it was signed on {signed}, that one on {seen}, \
         and {} is monotonic",
        plain(&.demand.reference), .demand.rule
    )]
    RolledBack {
        /// What the rule demands.
        demand: Box<Demand>,
        /// When the image was signed.
        signed: Timestamp,
        /// When the newest one that was seen was signed.
        seen: Timestamp,
    },
    /// The image is signed, and an attestation that the rule demands is missing or doesn't count.
    #[error(
        "image {} lacks an attestation: {} requires {} by {}{}{}",
        plain(&.demand.reference), .demand.rule, plain(.predicate_type), .demand.wanted(), because(.why),
        unanswered(.demand)
    )]
    NotAttested {
        /// What the rule demands; its keys are those of the attestation.
        demand: Box<Demand>,
        /// The predicate type of the attestation.
        predicate_type: String,
        /// The attestation by one of the keys that comes nearest, and why it doesn't count.
        why: Option<Box<(Fingerprint, Flaw)>>,
    },
    /// The rule asks for something that can't be verified here.
    #[error("image {} is refused: {rule} asks for {what}, which is not supported", plain(.reference))]
    Unsupported {
        /// The image, as shown to the user.
        reference: String,
        /// Its repository.
        repository: Repository,
        /// The rule.
        rule: Box<RuleId>,
        /// What it asks for.
        what: String,
    },
    /// The rule lists digests, and not this one.
    #[error("image {} is not allowed: {rule} does not list {manifest}", plain(.reference))]
    DigestNotListed {
        /// The image, as shown to the user.
        reference: String,
        /// Its platform manifest.
        manifest: Box<Digest>,
        /// The rule.
        rule: Box<RuleId>,
    },
    /// A key of the rule that decides can't be read.
    #[error("{rule} cannot be used: its key {position} is unreadable")]
    BrokenKey {
        /// The rule.
        rule: Box<RuleId>,
        /// Which of its keys, from 1.
        position: usize,
        /// What is wrong with it.
        source: KeyError,
    },
    /// The manifest to run isn't part of the image that is judged. Never the image's fault.
    #[error("image {} is refused: {manifest} is not in its chain of digests", plain(.reference))]
    BrokenChain {
        /// The image, as shown to the user.
        reference: String,
        /// The manifest that was to run.
        manifest: Box<Digest>,
    },
}

fn because(why: &Option<Box<(Fingerprint, Flaw)>>) -> String {
    why.as_ref().map_or_else(String::new, |why| {
        let (key, flaw) = why.as_ref();
        format!("; one by key {key} does not count, {flaw}")
    })
}

/// What of the signatures could not be had.
fn unanswered(demand: &Demand) -> String {
    match demand.unanswered.as_slice() {
        [] => String::new(),
        lines => format!(
            "; there may be more signatures: {}",
            plain(&lines.join("; "))
        ),
    }
}

/// Which keys would do nothing, and what of the signatures could not be had.
fn lacks(demand: &Demand) -> String {
    format!("{}{}", demand.useless(), unanswered(demand))
}

impl Refusal {
    /// Adds why there may be signatures that are not known, a line each. It changes no verdict.
    pub fn note_unanswered(&mut self, lines: &[String]) {
        match self {
            Self::Unsigned { demand }
            | Self::NotEnough { demand, .. }
            | Self::WrongKey { demand, .. }
            | Self::WrongSignature { demand, .. }
            | Self::NotAttested { demand, .. } => demand.unanswered.extend_from_slice(lines),
            Self::NoRule { .. }
            | Self::Rejected { .. }
            | Self::RolledBack { .. }
            | Self::Unsupported { .. }
            | Self::DigestNotListed { .. }
            | Self::BrokenKey { .. }
            | Self::BrokenChain { .. } => {}
        }
    }

    /// Picks what tells the user most of a failed count.
    pub(crate) fn of(
        demand: Box<Demand>,
        have: Vec<Fingerprint>,
        worst: Worst,
        found: usize,
    ) -> Self {
        if !have.is_empty() {
            return Self::NotEnough { demand, have };
        }
        match worst.0 {
            None => Self::Unsigned { demand },
            Some((Some(key), flaw)) => Self::WrongSignature {
                demand,
                key,
                flaw: Box::new(flaw),
            },
            Some((None, _)) => Self::WrongKey { demand, found },
        }
    }
}
