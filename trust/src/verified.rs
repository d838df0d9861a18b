//! The proof that an image may run, and the record of why.

use std::fmt;
use std::path::PathBuf;

use image_name::{Digest, Prefix, Reference};
use serde::{Deserialize, Serialize};

use crate::fingerprint::Fingerprint;
use crate::integrity::Integrity;
use crate::one_line;
use crate::policy::PlacedRule;
use crate::timestamp::Timestamp;

/// What let an image run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Basis {
    /// Enough keys of a rule signed it.
    SignedBy,
    /// A rule lists its digest.
    Digest,
    /// A rule accepts it unsigned.
    AcceptUnsigned,
    /// The user waived verification for this one start.
    Waived,
}

impl fmt::Display for Basis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::SignedBy => "signed-by",
            Self::Digest => "digest",
            Self::AcceptUnsigned => "accept-unsigned",
            Self::Waived => "waived",
        })
    }
}

/// A demanded attestation that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Attested {
    /// Its predicate type.
    pub predicate_type: String,
    /// The key that signed it.
    pub key: Fingerprint,
}

/// The record of a verification, kept with the pod and shown by `status`. It proves nothing: only
/// a [`VerifiedImage`] does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Verification {
    /// What let the image run.
    pub policy: Basis,
    /// The prefix of the rule that decided; none if waived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule_prefix: Option<Prefix>,
    /// The file of the rule that decided; none if waived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule_file: Option<PathBuf>,
    /// The keys whose signatures counted, in the order of the signatures, up to the rule's
    /// threshold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<Fingerprint>,
    /// The digest that the first of these keys signed, or that a `digest` rule lists: the image's
    /// index or its platform manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_digest: Option<Digest>,
    /// When they signed, by their own word: the time by which enough of them had. Only where the rule
    /// is monotonic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_at: Option<Timestamp>,
    /// The attestations that the rule demanded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attested: Vec<Attested>,
    /// What was checked of the unpacked files.
    #[serde(default, skip_serializing_if = "Integrity::is_default")]
    pub integrity: Integrity,
}

impl Verification {
    pub(crate) fn by_rule(policy: Basis, placed: &PlacedRule) -> Self {
        Self {
            policy,
            rule_prefix: Some(placed.rule().prefix().clone()),
            rule_file: Some(placed.file().to_owned()),
            signed_at: None,
            attested: Vec::new(),
            integrity: placed.rule().integrity(),
            keys: Vec::new(),
            signed_digest: None,
        }
    }

    /// Adds what another requirement of the same rule was met by.
    pub(crate) fn join(&mut self, other: Self) {
        if other.policy != Basis::AcceptUnsigned {
            self.policy = other.policy;
        }
        for key in other.keys {
            if !self.keys.contains(&key) {
                self.keys.push(key);
            }
        }
        if self.signed_digest.is_none() {
            self.signed_digest = other.signed_digest;
        }
    }

    pub(crate) fn waived() -> Self {
        Self {
            policy: Basis::Waived,
            rule_prefix: None,
            rule_file: None,
            signed_at: None,
            attested: Vec::new(),
            integrity: Integrity::default(),
            keys: Vec::new(),
            signed_digest: None,
        }
    }
}

impl fmt::Display for Verification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.policy {
            Basis::SignedBy => {
                let keys: Vec<_> = self.keys.iter().map(Fingerprint::to_string).collect();
                write!(f, "signed by {}", keys.join(" and "))?;
            }
            Basis::Digest => f.write_str("digest listed")?,
            Basis::AcceptUnsigned => f.write_str("accepted unsigned")?,
            Basis::Waived => f.write_str("verification waived")?,
        }
        for attested in &self.attested {
            let kind = one_line::plain(&attested.predicate_type);
            write!(f, ", {kind} by {}", attested.key)?;
        }
        if let (Some(prefix), Some(file)) = (&self.rule_prefix, &self.rule_file) {
            write!(
                f,
                " (rule {:?} of {})",
                prefix.as_str(),
                one_line::path(file)
            )?;
        }
        Ok(())
    }
}

/// An image that may run now. Only [`verify()`](crate::verify()) and [`waive`](crate::waive) make
/// one, so code that takes one can't be reached with an image nobody judged.
///
/// It can't be stored or read back: a policy that changes counts at the next start.
///
/// Its fields are private and it has no constructor:
///
/// ```compile_fail,E0616
/// fn change(mut image: trust::VerifiedImage, other: trust::VerifiedImage) {
///     image.manifest = other.manifest().clone();
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct VerifiedImage {
    reference: Reference,
    manifest: Digest,
    verification: Verification,
}

impl VerifiedImage {
    /// Made by the verdict alone.
    pub(crate) fn new(
        reference: &Reference,
        manifest: &Digest,
        verification: Verification,
    ) -> Self {
        Self {
            reference: reference.clone(),
            manifest: manifest.clone(),
            verification,
        }
    }

    /// The platform manifest that may run, and nothing else may under this proof.
    pub fn manifest(&self) -> &Digest {
        &self.manifest
    }

    /// The reference it was asked for by.
    pub fn reference(&self) -> &Reference {
        &self.reference
    }

    /// What must be checked of its unpacked files before it runs.
    pub fn integrity(&self) -> Integrity {
        self.verification.integrity
    }

    /// When it was signed, where its rule is monotonic. The caller keeps the newest for each reference and
    /// gives it to the next verdict, as [`Circumstances::newest_seen`](crate::Circumstances::newest_seen).
    pub fn signed_at(&self) -> Option<Timestamp> {
        self.verification.signed_at
    }

    /// Why it may run.
    pub fn verification(&self) -> &Verification {
        &self.verification
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u8) -> Fingerprint {
        Fingerprint::of(&[number])
    }

    fn verification(policy: Basis, keys: &[u8], signed: Option<char>) -> Verification {
        let digest =
            |digit: char| Digest::parse(&format!("sha256:{}", digit.to_string().repeat(64)));
        Verification {
            policy,
            keys: keys.iter().map(|number| key(*number)).collect(),
            signed_digest: signed.map(|digit| digest(digit).unwrap()),
            ..Verification::waived()
        }
    }

    #[test]
    fn what_let_an_image_run_has_one_word_and_a_sentence() {
        for (basis, word, sentence) in [
            (Basis::Digest, "digest", "digest listed"),
            (
                Basis::AcceptUnsigned,
                "accept-unsigned",
                "accepted unsigned",
            ),
            (Basis::Waived, "waived", "verification waived"),
        ] {
            assert_eq!(format!("{basis:<16}|"), format!("{word:<16}|"));
            assert_eq!(serde_json::to_value(basis).unwrap(), word);
            assert_eq!(verification(basis, &[], None).to_string(), sentence);
        }
        assert_eq!(Basis::SignedBy.to_string(), "signed-by");
        let mut signed = verification(Basis::SignedBy, &[1, 2], Some('1'));
        let by = format!("signed by {} and {}", key(1), key(2));
        assert_eq!(signed.to_string(), by);
        signed.attested.push(Attested {
            predicate_type: "a:b".to_owned(),
            key: key(3),
        });
        signed.rule_prefix = Some(Prefix::parse("a.io").unwrap());
        signed.rule_file = Some("/etc/a.toml".into());
        let all = format!("{by}, a:b by {} (rule \"a.io\" of /etc/a.toml)", key(3));
        assert_eq!(signed.to_string(), all);
    }

    #[test]
    fn requirements_that_are_met_together_are_recorded_together() {
        let mut first = verification(Basis::SignedBy, &[1], Some('1'));
        first.join(verification(Basis::AcceptUnsigned, &[], None));
        assert_eq!(first, verification(Basis::SignedBy, &[1], Some('1')));
        first.join(verification(Basis::SignedBy, &[1, 2], Some('2')));
        assert_eq!(first, verification(Basis::SignedBy, &[1, 2], Some('1')));
        let mut unsigned = verification(Basis::AcceptUnsigned, &[], None);
        unsigned.join(verification(Basis::Digest, &[], Some('3')));
        assert_eq!(unsigned, verification(Basis::Digest, &[], Some('3')));
    }
}
