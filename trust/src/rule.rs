//! Rules: what an image of a prefix must meet to run.

use image_name::{Digest, Prefix};

use crate::condition::Condition;
use crate::digest::DigestError;
use crate::fingerprint::Fingerprint;
use crate::identity::Identity;
use crate::integrity::Integrity;
use crate::key::PublicKey;
use crate::key_text::KeyText;
use crate::one_line;

/// What a rule asks of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Requirement {
    /// Signatures by at least `threshold` distinct keys of these.
    SignedBy {
        /// The keys that count; at least one.
        keys: Vec<KeyText>,
        /// How many of them must have signed; from 1 to the number of keys.
        threshold: usize,
        /// Which signed names count.
        identity: Identity,
    },
    /// The index or the platform manifest is one of these.
    Digest {
        /// The digests that may run; at least one.
        digests: Vec<Digest>,
    },
    /// Nothing: every image of the prefix runs. This is printed and recorded.
    AcceptUnsigned,
    /// Every image of the prefix is refused.
    Reject,
    /// All of these at once, as the requirements of a policy.json are.
    All(Vec<Requirement>),
    /// Something that can't be verified here, in words: no image of the prefix runs.
    Unsupported(String),
}

impl Requirement {
    fn replace_keys(&mut self, other: &dyn Fn(Fingerprint) -> Option<PublicKey>) {
        match self {
            Self::SignedBy { keys, .. } => keys.iter_mut().for_each(|text| text.replace(other)),
            Self::All(all) => all.iter_mut().for_each(|one| one.replace_keys(other)),
            _ => {}
        }
    }
}

/// A statement about an image that a rule demands beside its signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttestationDemand {
    /// Its predicate type.
    pub predicate_type: String,
    /// The keys of which one must have signed it; if there are none, those of the rule.
    pub keys: Vec<KeyText>,
    /// What it must say.
    pub conditions: Vec<Condition>,
}

impl Requirement {
    /// The word that a policy file uses for it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::SignedBy { .. } => "signed-by",
            Self::Digest { .. } => "digest",
            Self::AcceptUnsigned => "accept-unsigned",
            Self::Reject => "reject",
            Self::All(_) => "all",
            Self::Unsupported(_) => "unsupported",
        }
    }

    /// All keys in it.
    fn keys(&self) -> Vec<&KeyText> {
        match self {
            Self::SignedBy { keys, .. } => keys.iter().collect(),
            Self::All(each) => each.iter().flat_map(Self::keys).collect(),
            Self::Digest { .. } | Self::AcceptUnsigned | Self::Reject | Self::Unsupported(_) => {
                Vec::new()
            }
        }
    }

    /// Signatures by `threshold` of these keys.
    pub fn signed_by(keys: Vec<KeyText>, threshold: usize) -> Self {
        Self::SignedBy {
            keys,
            threshold,
            identity: Identity::default(),
        }
    }
}

/// One rule of a policy; its requirement can be met or fails for a reason of the image's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    prefix: Prefix,
    requirement: Requirement,
    integrity: Integrity,
    monotonic: bool,
    attestations: Vec<AttestationDemand>,
    kubernetes_namespaces: Vec<String>,
}

/// Why a requirement makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// No image could ever be signed.
    #[error("a signed-by rule needs at least one key")]
    NoKeys,
    /// No signature would be needed, or more than there are keys.
    #[error("threshold {threshold} is not between 1 and the number of keys, {keys}")]
    Threshold {
        /// The threshold.
        threshold: u64,
        /// How many keys the rule has.
        keys: usize,
    },
    /// The same key would look like two signers.
    #[error("key {fingerprint} appears twice")]
    SameKey {
        /// Its fingerprint.
        fingerprint: Fingerprint,
    },
    /// No image could ever match.
    #[error("a digest rule needs at least one digest")]
    NoDigests,
    /// Another digest algorithm or no digest at all.
    #[error(transparent)]
    Digest(#[from] DigestError),
    /// Something in an attestation that makes no sense.
    #[error("attestation {predicate_type}: {reason}")]
    Attestation {
        /// Its predicate type, quoted.
        predicate_type: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A key that would never count.
    #[error("a key's not-before is after its not-after")]
    Validity,
    /// A rule that would count for no pod.
    #[error("kubernetes-namespaces is empty: leave it out, or name one")]
    NoNamespaces,
    /// What can't be a namespace of Kubernetes.
    #[error("{0} is no namespace of Kubernetes")]
    Namespace(String),
    /// A member that belongs to another type of rule.
    #[error("the type {word} has no {member:?}")]
    Member {
        /// The type of rule.
        word: &'static str,
        /// The member.
        member: &'static str,
    },
}

impl Rule {
    /// Makes a rule. Keys are not decoded; see [`Policy::check`](crate::Policy::check).
    ///
    /// # Errors
    /// [`RuleError`] for requirements that no image, or none without a mistake, could meet.
    pub fn new(prefix: Prefix, requirement: Requirement) -> Result<Self, RuleError> {
        match &requirement {
            Requirement::SignedBy {
                keys, threshold, ..
            } => {
                if keys.is_empty() {
                    return Err(RuleError::NoKeys);
                }
                if *threshold == 0 || *threshold > keys.len() {
                    let threshold = u64::try_from(*threshold).unwrap_or(u64::MAX);
                    return Err(RuleError::Threshold {
                        threshold,
                        keys: keys.len(),
                    });
                }
            }
            Requirement::Digest { digests } => {
                if digests.is_empty() {
                    return Err(RuleError::NoDigests);
                }
            }
            Requirement::AcceptUnsigned
            | Requirement::Reject
            | Requirement::All(_)
            | Requirement::Unsupported(_) => {}
        }
        Ok(Self {
            prefix,
            requirement,
            integrity: Integrity::default(),
            monotonic: false,
            attestations: Vec::new(),
            kubernetes_namespaces: Vec::new(),
        })
    }

    /// Makes a `signed-by` rule of keys that are known to be good.
    ///
    /// # Errors
    /// Those of [`Rule::new`], and [`RuleError::SameKey`].
    pub fn signed_by(
        prefix: Prefix,
        keys: &[PublicKey],
        threshold: usize,
    ) -> Result<Self, RuleError> {
        for (at, key) in keys.iter().enumerate() {
            if keys.iter().take(at).any(|earlier| earlier == key) {
                return Err(RuleError::SameKey {
                    fingerprint: key.fingerprint(),
                });
            }
        }
        let keys = keys.iter().map(KeyText::from).collect();
        Self::new(prefix, Requirement::signed_by(keys, threshold))
    }

    /// The rule with other keys.
    pub(crate) fn with_keys(self, keys: Vec<KeyText>) -> Result<Self, RuleError> {
        let threshold = self.threshold().max(1);
        self.with_keys_of(keys, threshold)
    }

    /// The rule with other keys, of which so many must sign.
    pub(crate) fn with_keys_of(
        self,
        keys: Vec<KeyText>,
        threshold: usize,
    ) -> Result<Self, RuleError> {
        let identity = match self.requirement {
            Requirement::SignedBy { identity, .. } => identity,
            _ => Identity::default(),
        };
        let requirement = Requirement::SignedBy {
            keys,
            threshold,
            identity,
        };
        let rule = Self::new(self.prefix, requirement)?;
        Ok(Self {
            integrity: self.integrity,
            monotonic: self.monotonic,
            attestations: self.attestations,
            kubernetes_namespaces: self.kubernetes_namespaces,
            ..rule
        })
    }

    /// The rule, refusing images that were signed before one that was seen by the same name.
    ///
    /// # Errors
    /// [`RuleError::Member`] unless the rule asks for signatures.
    pub fn with_monotonic(self, monotonic: bool) -> Result<Self, RuleError> {
        self.for_signatures("monotonic", monotonic)?;
        Ok(Self { monotonic, ..self })
    }

    /// The rule with attestations that it demands beside its signatures.
    ///
    /// # Errors
    /// [`RuleError::Member`] unless the rule asks for signatures.
    pub fn with_attestations(
        self,
        attestations: Vec<AttestationDemand>,
    ) -> Result<Self, RuleError> {
        self.for_signatures("attestation", !attestations.is_empty())?;
        Ok(Self {
            attestations,
            ..self
        })
    }

    /// The rule for pods of these namespaces of Kubernetes alone.
    ///
    /// # Errors
    /// [`RuleError::NoNamespaces`]; [`RuleError::Namespace`] for a name that can't be one.
    pub fn with_kubernetes_namespaces(self, namespaces: Vec<String>) -> Result<Self, RuleError> {
        if namespaces.is_empty() {
            return Err(RuleError::NoNamespaces);
        }
        if let Some(other) = namespaces.iter().find(|name| !is_label(name)) {
            return Err(RuleError::Namespace(one_line::quoted(other)));
        }
        Ok(Self {
            kubernetes_namespaces: namespaces,
            ..self
        })
    }

    /// The namespaces of Kubernetes for whose pods alone it counts; none if it counts for all that runs.
    pub fn kubernetes_namespaces(&self) -> &[String] {
        &self.kubernetes_namespaces
    }

    /// Whether it counts for what runs in this namespace of Kubernetes, or in none.
    pub(crate) fn counts_in(&self, namespace: Option<&str>) -> bool {
        let own = &self.kubernetes_namespaces;
        own.is_empty() || namespace.is_some_and(|name| own.iter().any(|own| own == name))
    }

    fn for_signatures(&self, member: &'static str, used: bool) -> Result<(), RuleError> {
        match self.requirement {
            Requirement::SignedBy { .. } => Ok(()),
            _ if !used => Ok(()),
            _ => Err(RuleError::Member {
                word: self.requirement.word(),
                member,
            }),
        }
    }

    /// Whether signatures may not be older than those seen before by the same name.
    pub fn is_monotonic(&self) -> bool {
        self.monotonic
    }

    /// The attestations that it demands.
    pub fn attestations(&self) -> &[AttestationDemand] {
        &self.attestations
    }

    /// What bundles call the keys by which one may count here. Keys that can't be read are none.
    pub fn bundle_hints(&self) -> Vec<String> {
        let own = self.requirement.keys();
        let others = self
            .attestations
            .iter()
            .flat_map(|demand| demand.keys.iter());
        let keys = own.into_iter().chain(others);
        let hints = keys.filter_map(|key| Some(key.decode().ok()?.bundle_hint()));
        hints.collect()
    }

    /// The rule with another demand on the unpacked files.
    pub fn with_integrity(self, integrity: Integrity) -> Self {
        Self { integrity, ..self }
    }

    /// What a start checks of the unpacked files.
    pub fn integrity(&self) -> Integrity {
        self.integrity
    }

    /// The keys that must sign; none unless the rule asks for signatures.
    pub(crate) fn key_texts(&self) -> &[KeyText] {
        match &self.requirement {
            Requirement::SignedBy { keys, .. } => keys,
            _ => &[],
        }
    }

    /// How many keys must sign.
    pub(crate) fn threshold(&self) -> usize {
        match &self.requirement {
            Requirement::SignedBy { threshold, .. } => *threshold,
            _ => 0,
        }
    }

    /// Puts other keys in place of those that `other` knows.
    pub(crate) fn replace_keys(&mut self, other: &dyn Fn(Fingerprint) -> Option<PublicKey>) {
        self.requirement.replace_keys(other);
        let keys = self.attestations.iter_mut();
        for text in keys.flat_map(|demand| &mut demand.keys) {
            text.replace(other);
        }
    }

    /// Which images the rule is for.
    pub fn prefix(&self) -> &Prefix {
        &self.prefix
    }

    /// What it asks.
    pub fn requirement(&self) -> &Requirement {
        &self.requirement
    }
}

/// Whether a text is a DNS label, as namespaces of Kubernetes are called.
fn is_label(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    (1..=63).contains(&text.len())
        && text.bytes().all(|byte| is_plain(byte) || byte == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

#[cfg(test)]
mod tests;
