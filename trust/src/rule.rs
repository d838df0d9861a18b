//! Rules: what an image of a prefix must meet to run.

use oci_spec::image::{Digest, DigestAlgorithm};

use crate::integrity::Integrity;
use crate::key::{KeyError, PublicKey};
use crate::name::Prefix;

/// A public key as a rule carries it: PEM text, decoded only when the rule decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyText(String);

impl KeyText {
    /// Takes a text as it stands, without decoding it; white space around it is dropped.
    pub fn new(text: &str) -> Self {
        Self(text.trim().to_owned())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Decodes the key.
    ///
    /// # Errors
    /// Those of [`PublicKey::from_pem`].
    pub fn decode(&self) -> Result<PublicKey, KeyError> {
        PublicKey::from_pem(&self.0)
    }
}

impl From<&PublicKey> for KeyText {
    fn from(key: &PublicKey) -> Self {
        Self::new(&key.to_pem())
    }
}

/// What a rule asks of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Requirement {
    /// Signatures by at least `threshold` distinct keys of these.
    SignedBy {
        /// The keys that count; at least one.
        keys: Vec<KeyText>,
        /// How many of them must have signed; from 1 to the number of keys.
        threshold: usize,
    },
    /// The index or the platform manifest is one of these.
    Digest {
        /// The digests that may run; at least one, all sha256.
        digests: Vec<Digest>,
    },
    /// Nothing: every image of the prefix runs. This is printed and recorded.
    AcceptUnsigned,
    /// Every image of the prefix is refused.
    Reject,
}

impl Requirement {
    /// The word that a policy file uses for it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::SignedBy { .. } => "signed-by",
            Self::Digest { .. } => "digest",
            Self::AcceptUnsigned => "accept-unsigned",
            Self::Reject => "reject",
        }
    }
}

/// One rule of a policy; its requirement can be met or fails for a reason of the image's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    prefix: Prefix,
    requirement: Requirement,
    integrity: Integrity,
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
    #[error("key {fingerprint} is there twice")]
    SameKey {
        /// Its fingerprint.
        fingerprint: crate::Fingerprint,
    },
    /// No image could ever match.
    #[error("a digest rule needs at least one digest")]
    NoDigests,
    /// Another digest algorithm or no digest at all.
    #[error("{text} is no digest: it must be \"sha256:\" and 64 lower-case hex digits")]
    Digest {
        /// The text, quoted.
        text: String,
    },
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
            Requirement::SignedBy { keys, threshold } => {
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
                if let Some(other) = digests.iter().find(|digest| !is_sha256(digest)) {
                    let text = crate::one_line::quoted(other.as_ref());
                    return Err(RuleError::Digest { text });
                }
            }
            Requirement::AcceptUnsigned | Requirement::Reject => {}
        }
        Ok(Self {
            prefix,
            requirement,
            integrity: Integrity::default(),
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
        Self::new(prefix, Requirement::SignedBy { keys, threshold })
    }

    /// The rule with another demand on the unpacked files.
    pub fn with_integrity(self, integrity: Integrity) -> Self {
        Self { integrity, ..self }
    }

    /// What a start checks of the unpacked files.
    pub fn integrity(&self) -> Integrity {
        self.integrity
    }

    /// Which repositories the rule is for.
    pub fn prefix(&self) -> &Prefix {
        &self.prefix
    }

    /// What it asks.
    pub fn requirement(&self) -> &Requirement {
        &self.requirement
    }
}

/// Parses a digest of the one algorithm that images are known by here.
pub(crate) fn parse_digest(text: &str) -> Result<Digest, RuleError> {
    Digest::try_from(text)
        .ok()
        .filter(is_sha256)
        .ok_or_else(|| RuleError::Digest {
            text: crate::one_line::quoted(text),
        })
}

fn is_sha256(digest: &Digest) -> bool {
    *digest.algorithm() == DigestAlgorithm::Sha256
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix() -> Prefix {
        Prefix::parse("a.io/foo").unwrap()
    }

    #[test]
    fn requirements_that_cannot_be_meant_are_refused() {
        let key = PublicKey::from_pem(include_str!("../tests/data/p256.pub")).unwrap();
        let same = PublicKey::from_pem(include_str!("../tests/data/p256-compressed.pub")).unwrap();
        let refused = |keys: &[PublicKey], threshold| {
            Rule::signed_by(prefix(), keys, threshold)
                .unwrap_err()
                .to_string()
        };
        assert_eq!(refused(&[], 1), "a signed-by rule needs at least one key");
        let between = "is not between 1 and the number of keys, 1";
        assert_eq!(
            refused(std::slice::from_ref(&key), 0),
            format!("threshold 0 {between}")
        );
        assert_eq!(
            refused(std::slice::from_ref(&key), 2),
            format!("threshold 2 {between}")
        );
        let twice = refused(&[key.clone(), same], 2);
        assert_eq!(twice, format!("key {} is there twice", key.fingerprint()));
        let none = Rule::new(
            prefix(),
            Requirement::Digest {
                digests: Vec::new(),
            },
        );
        assert_eq!(none, Err(RuleError::NoDigests));
    }

    #[test]
    fn only_sha256_digests_are_taken() {
        let hex = "ab".repeat(32);
        assert!(parse_digest(&format!("sha256:{hex}")).is_ok());
        for text in [
            String::new(),
            hex.clone(),
            format!("sha256:{}", hex.to_uppercase()),
            format!("sha512:{hex}{hex}"),
            format!("md5:{hex}"),
            format!("sha256:{hex}\n"),
        ] {
            assert!(parse_digest(&text).is_err(), "{text}");
        }
        let other = Digest::try_from(format!("sha512:{hex}{hex}")).unwrap();
        assert!(
            Rule::new(
                prefix(),
                Requirement::Digest {
                    digests: vec![other]
                }
            )
            .is_err()
        );
    }
}
