//! One signature or attestation, examined: who made it, and whether it counts for an image.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use image_name::Digest;

use crate::bundle::Bundle;
use crate::condition::Condition;
use crate::fingerprint::Fingerprint;
use crate::flaw::Flaw;
use crate::held_key::HeldKey;
use crate::identity::Identity;
use crate::simple_signing::{Claim, MAX_PAYLOAD};
use crate::statement::{SIGNATURE_TYPE, Statement};
use crate::subject::Subject;
use crate::timestamp::{SignedTime, Timestamp};

/// Most signatures in the tag format that are looked at for one image. More don't count: whoever can add
/// signatures to a registry must not decide how long a start takes.
pub const MAX_SIGNATURES: usize = 128;

/// The same of bundles.
pub const MAX_BUNDLES: usize = 1024;

/// Longest signature in base64, in bytes. P-256 needs 96, P-384 140, Ed25519 88.
const MAX_SIGNATURE: usize = 1024;

/// A signature as the store holds it: one layer of a cosign signature manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureLayer {
    /// The layer's blob, which is what was signed.
    pub payload: Vec<u8>,
    /// The annotation `dev.cosignproject.cosign/signature`: standard base64.
    pub signature: String,
}

/// Everything that the store holds in favour of an image, in either format.
#[derive(Debug, Clone, Copy, Default)]
pub struct Evidence<'a> {
    /// Signatures in cosign's tag format.
    pub simple: &'a [SignatureLayer],
    /// Sigstore bundles, as they stand: signatures and attestations.
    pub bundles: &'a [Vec<u8>],
}

impl Evidence<'_> {
    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.simple.is_empty() && self.bundles.is_empty()
    }

    /// Whether anything is, by its own word, a signature for this image, by whomever. Nothing is verified.
    pub(crate) fn claims(&self, subject: &Subject<'_>) -> bool {
        let repository = subject.reference.repository();
        let simple = self.simple.iter().take(MAX_SIGNATURES);
        let mut claims = simple
            .filter(|layer| layer.payload.len() <= MAX_PAYLOAD)
            .filter_map(|layer| Claim::parse(&layer.payload).ok());
        if claims.any(|claim| claim.names(repository) && subject.digests.contains(claim.digest())) {
            return true;
        }
        self.bundles.iter().take(MAX_BUNDLES).any(|bytes| {
            let statement = Bundle::parse(bytes)
                .ok()
                .and_then(|bundle| Statement::parse(bundle.payload()).ok());
            statement.is_some_and(|statement| {
                statement.predicate_type() == SIGNATURE_TYPE
                    && statement.about(subject.digests).is_some_and(|about| {
                        about.name.is_none_or(|name| repository.is_named_by(name))
                    })
            })
        })
    }

    /// How many signatures and attestations there are.
    pub fn len(&self) -> usize {
        self.simple.len() + self.bundles.len()
    }
}

/// What a signature must be to count.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub(crate) keys: &'a [HeldKey],
    pub(crate) subject: &'a Subject<'a>,
    pub(crate) identity: &'a Identity,
    /// Whether it must say when it was made.
    pub(crate) monotonic: bool,
    pub(crate) now: Timestamp,
}

/// What a signature counts for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Accepted {
    /// The digest.
    pub(crate) digest: Digest,
    /// When it was made; always there where the rule is monotonic.
    pub(crate) time: Option<Timestamp>,
}

/// A signature that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Examined {
    /// The key that made it, if it is one of the rule's.
    pub(crate) key: Option<Fingerprint>,
    /// What it counts for, or why it doesn't.
    pub(crate) verdict: Result<Accepted, Flaw>,
}

impl Examined {
    fn unknown(flaw: Flaw) -> Self {
        Self {
            key: None,
            verdict: Err(flaw),
        }
    }

    fn by(held: &HeldKey, judge: impl FnOnce() -> Result<Accepted, Flaw>) -> Self {
        let verdict = match &held.unfit {
            Some(unfit) => Err(Flaw::Unfit(unfit.clone())),
            None => judge(),
        };
        Self {
            key: Some(held.key.fingerprint()),
            verdict,
        }
    }
}

impl Wanted<'_> {
    /// Examines everything, in either format, lazily.
    pub(crate) fn signatures<'a>(
        &'a self,
        evidence: &'a Evidence<'a>,
    ) -> impl Iterator<Item = Examined> + 'a {
        let simple = evidence.simple.iter().take(MAX_SIGNATURES);
        let bundles = evidence.bundles.iter().take(MAX_BUNDLES);
        simple
            .map(|layer| self.simple(layer))
            .chain(bundles.map(|bundle| self.bundle(bundle)))
    }

    /// Examines one signature in the tag format. It is verified over the raw payload first; a payload that
    /// no key of the rule signed is never parsed.
    pub(crate) fn simple(&self, layer: &SignatureLayer) -> Examined {
        if layer.payload.len() > MAX_PAYLOAD {
            return Examined::unknown(Flaw::PayloadTooLarge {
                size: layer.payload.len(),
            });
        }
        let decoded = (layer.signature.len() <= MAX_SIGNATURE)
            .then(|| STANDARD.decode(&layer.signature).ok())
            .flatten();
        let Some(signature) = decoded else {
            return Examined::unknown(Flaw::Encoding);
        };
        let signer = self
            .keys
            .iter()
            .find(|held| held.key.verifies(&layer.payload, &signature));
        let Some(held) = signer else {
            return Examined::unknown(Flaw::OtherKey);
        };
        Examined::by(held, || {
            let claim = Claim::parse(&layer.payload).map_err(Flaw::Payload)?;
            if !self.subject.digests.contains(claim.digest()) {
                return Err(Flaw::OtherImage {
                    signed: claim.digest().clone(),
                });
            }
            self.named(Some(claim.docker_reference()))?;
            self.accepted(claim.digest(), claim.time())
        })
    }

    /// Examines one bundle as a signature.
    pub(crate) fn bundle(&self, bytes: &[u8]) -> Examined {
        self.signed_statement(bytes, |statement| {
            self.of_type(statement, SIGNATURE_TYPE, "a signature")?;
            let about = self.about(statement)?;
            self.named(about.name)?;
            self.accepted(about.digest, about.time)
        })
    }

    /// Examines one bundle as an attestation. The name that it gives the image doesn't matter: it is the
    /// digest that it tells something about.
    pub(crate) fn attestation(
        &self,
        bytes: &[u8],
        predicate_type: &str,
        conditions: &[Condition],
    ) -> Examined {
        self.signed_statement(bytes, |statement| {
            self.of_type(statement, predicate_type, predicate_type)?;
            let about = self.about(statement)?;
            for condition in conditions {
                condition
                    .check(statement, self.now)
                    .map_err(|found| Flaw::Condition {
                        wanted: condition.to_string(),
                        found,
                    })?;
            }
            Ok(Accepted {
                digest: about.digest.clone(),
                time: None,
            })
        })
    }

    /// Verifies a bundle over its raw payload, the key that it hints at first, and only then parses what is
    /// signed.
    fn signed_statement(
        &self,
        bytes: &[u8],
        judge: impl FnOnce(&Statement) -> Result<Accepted, Flaw>,
    ) -> Examined {
        let bundle = match Bundle::parse(bytes) {
            Ok(bundle) => bundle,
            Err(error) => return Examined::unknown(Flaw::Bundle(error)),
        };
        let message = bundle.message();
        let hinted = |held: &&HeldKey| bundle.hints_at(&held.key);
        let first = self.keys.iter().filter(hinted);
        let others = self.keys.iter().filter(|held| !hinted(held));
        let signer = first
            .chain(others)
            .find(|held| held.key.verifies_envelope(&message, bundle.signature()));
        let Some(held) = signer else {
            return Examined::unknown(Flaw::OtherKey);
        };
        Examined::by(held, || {
            let statement = Statement::parse(bundle.payload()).map_err(Flaw::Statement)?;
            judge(&statement)
        })
    }

    fn of_type(&self, statement: &Statement, wanted: &str, shown: &str) -> Result<(), Flaw> {
        if statement.predicate_type() == wanted {
            return Ok(());
        }
        Err(Flaw::OtherPredicate {
            found: statement.predicate_type().to_owned(),
            wanted: shown.to_owned(),
        })
    }

    fn about<'s>(&self, statement: &'s Statement) -> Result<crate::statement::About<'s>, Flaw> {
        statement.about(self.subject.digests).ok_or_else(|| {
            statement
                .digests()
                .next()
                .map_or(Flaw::NoDigest, |digest| Flaw::OtherImage {
                    signed: digest.clone(),
                })
        })
    }

    fn named(&self, signed: Option<&str>) -> Result<(), Flaw> {
        let image = self.subject.reference;
        if self.identity.accepts(signed, image) {
            return Ok(());
        }
        Err(match signed {
            Some(signed) => Flaw::OtherName {
                signed: signed.to_owned(),
            },
            None => Flaw::NoName {
                wanted: self.identity.wants(image),
            },
        })
    }

    /// The last step: the time, where it matters.
    fn accepted(&self, digest: &Digest, time: Option<&SignedTime>) -> Result<Accepted, Flaw> {
        let time = match time {
            _ if !self.monotonic => None,
            None => return Err(Flaw::NoTime),
            Some(SignedTime::Unreadable) => return Err(Flaw::UnreadableTime),
            Some(SignedTime::At(signed)) if signed.is_future(self.now) => {
                return Err(Flaw::Future {
                    signed: *signed,
                    now: self.now,
                });
            }
            Some(SignedTime::At(signed)) => Some(*signed),
        };
        Ok(Accepted {
            digest: digest.clone(),
            time,
        })
    }
}
