//! Refusals: why an image must not run, in one line each.

use image_name::Digest;

use crate::fingerprint::Fingerprint;
use crate::flaw::{Flaw, Worst};
use crate::key_error::KeyError;
use crate::one_line::plain;
use crate::refused_image::RefusedImage;
use crate::rule_id::{RuleId, listed};
use crate::timestamp::Timestamp;
use crate::unfit::Unfit;

/// What the deciding rule demands of an image: signatures by `threshold` of `keys`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Demand {
    /// The image.
    pub image: RefusedImage,
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
    #[error("image {image} is not trusted: no trust rule covers {}{}", .image.repository, counts_elsewhere(.elsewhere.as_deref()))]
    NoRule {
        /// The image.
        image: Box<RefusedImage>,
        /// Whether there are signatures for it under this name, by whomever.
        signed: bool,
        /// A rule that would cover it, for pods in other namespaces of Kubernetes alone.
        elsewhere: Option<Box<RuleId>>,
    },
    /// A rule says no.
    #[error("image {image} is rejected by {rule}")]
    Rejected {
        /// The image.
        image: Box<RefusedImage>,
        /// The rule.
        rule: Box<RuleId>,
    },
    /// There is no signature at all.
    #[error(
        "image {} is not signed: {} requires {}{}",
        .demand.image, .demand.rule, .demand.wanted(), lacks(.demand)
    )]
    Unsigned {
        /// What the rule demands.
        demand: Box<Demand>,
    },
    /// Some of the keys signed, but too few.
    #[error(
        "image {} is signed by {} of {} needed keys: {} requires {}{}",
        .demand.image, .have.len(), .demand.threshold, .demand.rule, .demand.wanted(),
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
        .demand.image,
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
        .demand.image, .demand.rule, unanswered(.demand)
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
        .demand.image, .demand.rule
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
        .demand.image, .demand.rule, plain(.predicate_type), .demand.wanted(), because(.why),
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
    #[error("image {image} is refused: {rule} asks for {what}, which is not supported")]
    Unsupported {
        /// The image.
        image: Box<RefusedImage>,
        /// The rule.
        rule: Box<RuleId>,
        /// What it asks for.
        what: String,
    },
    /// The rule lists digests, and not this one.
    #[error("image {image} is not allowed: {rule} does not list {manifest}")]
    DigestNotListed {
        /// The image.
        image: Box<RefusedImage>,
        /// Its platform manifest.
        manifest: Box<Digest>,
        /// The rule.
        rule: Box<RuleId>,
    },
    /// A key of the rule that decides can't be read.
    #[error("image {image} is refused: {rule} cannot be used: its key {position} is unreadable")]
    BrokenKey {
        /// The image.
        image: Box<RefusedImage>,
        /// The rule.
        rule: Box<RuleId>,
        /// Which of its keys, from 1.
        position: usize,
        /// What is wrong with it.
        source: KeyError,
    },
    /// The manifest to run isn't part of the image that is judged. Never the image's fault.
    #[error("image {image} is refused: {manifest} is not in its chain of digests")]
    BrokenChain {
        /// The image.
        image: Box<RefusedImage>,
        /// The manifest that was to run.
        manifest: Box<Digest>,
    },
    /// An image that was asked for by its ID has several names, and may run by none of them.
    #[error("{first}; {}", by_other_names(.others))]
    ByEveryName {
        /// Why not by the name that was tried first.
        first: Box<Refusal>,
        /// Why not by each of the others.
        others: Vec<Refusal>,
    },
}

fn counts_elsewhere(rule: Option<&RuleId>) -> String {
    rule.map_or_else(String::new, |rule| {
        let names = listed(rule.kubernetes_namespaces());
        let (prefix, place) = (rule.prefix().as_str(), rule.place());
        format!(" here: rule {prefix:?} of {place} counts in Kubernetes namespace {names} alone")
    })
}

/// What else was tried, in few words each.
fn by_other_names(others: &[Refusal]) -> String {
    /// Names that a message has before it only counts the others.
    const SHOWN: usize = 8;
    let told: Vec<_> = others.iter().take(SHOWN).map(Refusal::in_short).collect();
    let more = match others.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and by {more} more"),
    };
    format!("nor may it run by {}{more}", told.join(", "))
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
            | Self::BrokenChain { .. }
            | Self::ByEveryName { .. } => {}
        }
    }

    /// The image that is refused.
    pub fn image(&self) -> &RefusedImage {
        match self {
            Self::NoRule { image, .. }
            | Self::Rejected { image, .. }
            | Self::Unsupported { image, .. }
            | Self::DigestNotListed { image, .. }
            | Self::BrokenKey { image, .. }
            | Self::BrokenChain { image, .. } => image,
            Self::Unsigned { demand }
            | Self::NotEnough { demand, .. }
            | Self::WrongKey { demand, .. }
            | Self::WrongSignature { demand, .. }
            | Self::RolledBack { demand, .. }
            | Self::NotAttested { demand, .. } => &demand.image,
            Self::ByEveryName { first, .. } => first.image(),
        }
    }

    /// The rule that decided; `None` if there is none.
    pub fn rule(&self) -> Option<&RuleId> {
        match self {
            Self::NoRule { .. } | Self::BrokenChain { .. } => None,
            Self::Rejected { rule, .. }
            | Self::Unsupported { rule, .. }
            | Self::DigestNotListed { rule, .. }
            | Self::BrokenKey { rule, .. } => Some(rule),
            Self::Unsigned { demand }
            | Self::NotEnough { demand, .. }
            | Self::WrongKey { demand, .. }
            | Self::WrongSignature { demand, .. }
            | Self::RolledBack { demand, .. }
            | Self::NotAttested { demand, .. } => Some(&demand.rule),
            Self::ByEveryName { first, .. } => first.rule(),
        }
    }

    /// Refusals of one image by each of its names, the most wanted first; `None` if there are none.
    pub fn by_every_name(refusals: Vec<Self>) -> Option<Self> {
        let mut refusals = refusals.into_iter();
        let first = refusals.next()?;
        let others: Vec<_> = refusals.collect();
        Some(match others.is_empty() {
            true => first,
            false => Self::ByEveryName {
                first: Box::new(first),
                others,
            },
        })
    }

    /// The name, and what decided.
    fn in_short(&self) -> String {
        let name = plain(&self.image().reference);
        match self.rule() {
            Some(rule) => format!("{name} ({rule})"),
            None => format!("{name} (no rule)"),
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

#[cfg(test)]
mod tests;
