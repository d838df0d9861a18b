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
    kubernetes_namespaces: Vec<String>,
    file: PathBuf,
}

impl RuleId {
    pub(crate) fn of(placed: &PlacedRule) -> Self {
        Self {
            prefix: placed.rule().prefix().clone(),
            kubernetes_namespaces: placed.rule().kubernetes_namespaces().to_vec(),
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
        write!(f, "rule {:?}", self.prefix.as_str())?;
        if !self.kubernetes_namespaces.is_empty() {
            let names = self.kubernetes_namespaces.join(", ");
            write!(f, " for Kubernetes namespace {names}")?;
        }
        write!(f, " of {}", path(&self.file))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn fingerprint(number: u8) -> Fingerprint {
        Fingerprint::of(&[number])
    }

    fn demand(keys: u8, threshold: usize) -> Demand {
        Demand {
            reference: "a.io/x:1".to_owned(),
            repository: Repository::parse("a.io/x").unwrap(),
            rule: RuleId {
                kubernetes_namespaces: Vec::new(),
                prefix: Prefix::parse("a.io").unwrap(),
                file: "/etc/a.toml".into(),
            },
            keys: (0..keys).map(fingerprint).collect(),
            threshold,
            unfit: Vec::new(),
            unanswered: Vec::new(),
        }
    }

    #[test]
    fn a_demand_names_some_keys_and_counts_the_others() {
        let [zero, one, two] = [0, 1, 2].map(|number| fingerprint(number).to_string());
        for (keys, threshold, told) in [
            (1, 1, format!("key {zero}")),
            (2, 2, format!("2 of the keys {zero}, {one}")),
            (3, 1, format!("1 of the keys {zero}, {one}, {two}")),
            (4, 1, format!("1 of the keys {zero}, {one}, {two}, 1 more")),
            (9, 5, format!("5 of the keys {zero}, {one}, {two}, 6 more")),
        ] {
            assert_eq!(demand(keys, threshold).wanted(), told);
        }
    }

    #[test]
    fn keys_that_do_not_count_are_told_by_name_where_there_are_several() {
        let not_after = Timestamp::from_seconds(0).unwrap();
        let unfit = vec![(fingerprint(0), Unfit::Expired { not_after })];
        let of = |keys| Demand {
            unfit: unfit.clone(),
            ..demand(keys, 1)
        };
        let alone = of(1).useless();
        assert!(
            alone.starts_with("; ") && !alone.contains("sha256:"),
            "{alone}"
        );
        let named = of(2).useless();
        let begin = format!("; {} does not count, ", fingerprint(0));
        assert!(named.starts_with(&begin), "{named}");
        assert_eq!(demand(2, 1).useless(), "");
    }

    #[test]
    fn a_failed_count_is_told_by_what_says_most() {
        let boxed = || Box::new(demand(2, 2));
        let worst = |key: Option<Fingerprint>| Worst(Some((key, Flaw::OtherKey)));
        let have = vec![fingerprint(0)];
        let told = |refusal: Refusal| refusal.to_string();
        let few = told(Refusal::of(boxed(), have, worst(None), 3));
        assert!(few.contains("signed by 1 of 2 needed keys"), "{few}");
        let none = told(Refusal::of(boxed(), Vec::new(), Worst(None), 0));
        assert!(
            none.contains("is not signed: rule \"a.io\" of /etc/a.toml requires"),
            "{none}"
        );
        let by_key = told(Refusal::of(
            boxed(),
            Vec::new(),
            worst(Some(fingerprint(7))),
            3,
        ));
        assert!(by_key.contains(&fingerprint(7).to_string()), "{by_key}");
        for (found, words) in [
            (1, "1 signature by another key found"),
            (2, "2 signatures by other keys found"),
        ] {
            let other = told(Refusal::of(boxed(), Vec::new(), worst(None), found));
            assert!(other.contains(words), "{other}");
        }
    }

    #[test]
    fn what_could_not_be_asked_is_told_where_signatures_lack() {
        let lines = ["registry a said no".to_owned(), "b is down".to_owned()];
        let demand = || Box::new(demand(1, 1));
        let rule = || Box::new(demand().rule);
        let key = fingerprint(7);
        let noting = [
            Refusal::Unsigned { demand: demand() },
            Refusal::NotEnough {
                demand: demand(),
                have: vec![key],
            },
            Refusal::WrongKey {
                demand: demand(),
                found: 1,
            },
            Refusal::WrongSignature {
                demand: demand(),
                key,
                flaw: Box::new(Flaw::OtherKey),
            },
            Refusal::NotAttested {
                demand: demand(),
                predicate_type: "a:b".to_owned(),
                why: Some(Box::new((key, Flaw::NoDigest))),
            },
        ];
        for mut refusal in noting {
            let before = refusal.to_string();
            assert!(!before.contains("there may be more"), "{before}");
            refusal.note_unanswered(&lines);
            let told = refusal.to_string();
            let expected = "; there may be more signatures: registry a said no; b is down";
            assert_eq!(told, format!("{before}{expected}"));
        }
        // The others were not refused for want of signatures.
        let mut rejected = Refusal::Rejected {
            reference: "a.io/x:1".to_owned(),
            repository: demand().repository,
            rule: rule(),
        };
        let before = rejected.to_string();
        rejected.note_unanswered(&lines);
        assert_eq!(rejected.to_string(), before);
    }

    #[test]
    fn an_attestation_that_comes_nearest_is_told() {
        let of = |why| Refusal::NotAttested {
            demand: Box::new(demand(1, 1)),
            predicate_type: "a:b".to_owned(),
            why,
        };
        let none = of(None).to_string();
        assert!(!none.contains("does not count"), "{none}");
        let near = of(Some(Box::new((fingerprint(7), Flaw::NoDigest)))).to_string();
        let end = format!(
            "; one by key {} does not count, {}",
            fingerprint(7),
            Flaw::NoDigest
        );
        assert_eq!(near, format!("{none}{end}"));
    }
}
