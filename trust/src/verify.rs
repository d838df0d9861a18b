//! The verdict: may this image run under this policy?

use oci_spec::image::Digest;

use crate::key::PublicKey;
use crate::name::Repository;
use crate::policy::{PlacedRule, Policy};
use crate::refusal::{Demand, Refusal, RuleId};
use crate::rule::{KeyText, Requirement};
use crate::signed::{self, Flaw, MAX_SIGNATURES, SignatureLayer};
use crate::verified::{Basis, Verification, VerifiedImage};

/// The image that is judged.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// Its repository, which picks the rule.
    pub repository: &'a Repository,
    /// The reference as the user sees it, for messages and the record.
    pub reference: &'a str,
    /// Its chain of digests, index first if it has one, then the platform manifest. The caller has
    /// hashed the bytes of each, and found each in the one before.
    pub digests: &'a [Digest],
    /// The platform manifest that will run; the last of `digests`.
    pub manifest: &'a Digest,
}

/// Judges an image by the policy as it is now and by the signatures that the store holds.
///
/// A signature counts once per key, over the index as well as over the platform manifest. The
/// first [`MAX_SIGNATURES`] are looked at, and no more than are needed.
///
/// # Errors
/// [`Refusal`]: why the image must not run and, by [`Refusal::advice`], what to do about it.
pub fn verify(
    policy: &Policy,
    subject: &Subject<'_>,
    signatures: &[SignatureLayer],
) -> Result<VerifiedImage, Refusal> {
    let reference = || subject.reference.to_owned();
    if !subject.digests.contains(subject.manifest) {
        return Err(Refusal::BrokenChain {
            reference: reference(),
            manifest: Box::new(subject.manifest.clone()),
        });
    }
    let Some(placed) = policy.deciding(subject.repository) else {
        return Err(Refusal::NoRule {
            reference: reference(),
            repository: subject.repository.clone(),
            signed: !signatures.is_empty(),
        });
    };
    let verification = match placed.rule().requirement() {
        Requirement::SignedBy { keys, threshold } => {
            signed_by(placed, keys, *threshold, subject, signatures)?
        }
        Requirement::Digest { digests } => listed(placed, digests, subject)?,
        Requirement::AcceptUnsigned => by_rule(Basis::AcceptUnsigned, placed),
        Requirement::Reject => {
            return Err(Refusal::Rejected {
                reference: reference(),
                repository: subject.repository.clone(),
                rule: Box::new(RuleId::of(placed)),
            });
        }
    };
    Ok(VerifiedImage::new(
        subject.reference,
        subject.manifest,
        verification,
    ))
}

/// Lets an image run that nobody judged, because the user said so for this one start
/// (`--insecure-options=image`). The record says so too.
pub fn waive(subject: &Subject<'_>) -> VerifiedImage {
    VerifiedImage::new(subject.reference, subject.manifest, Verification::waived())
}

fn by_rule(basis: Basis, placed: &PlacedRule) -> Verification {
    Verification::by_rule(basis, placed)
}

fn listed(
    placed: &PlacedRule,
    digests: &[Digest],
    subject: &Subject<'_>,
) -> Result<Verification, Refusal> {
    match subject
        .digests
        .iter()
        .find(|digest| digests.contains(digest))
    {
        Some(digest) => Ok(Verification {
            signed_digest: Some(digest.clone()),
            ..by_rule(Basis::Digest, placed)
        }),
        None => Err(Refusal::DigestNotListed {
            reference: subject.reference.to_owned(),
            manifest: Box::new(subject.manifest.clone()),
            rule: Box::new(RuleId::of(placed)),
        }),
    }
}

/// Decodes the keys of the rule that decides.
pub(crate) fn decode(placed: &PlacedRule, keys: &[KeyText]) -> Result<Vec<PublicKey>, Refusal> {
    keys.iter()
        .enumerate()
        .map(|(at, key)| {
            key.decode().map_err(|source| Refusal::BrokenKey {
                rule: Box::new(RuleId::of(placed)),
                position: at + 1,
                source,
            })
        })
        .collect()
}

fn signed_by(
    placed: &PlacedRule,
    keys: &[KeyText],
    threshold: usize,
    subject: &Subject<'_>,
    signatures: &[SignatureLayer],
) -> Result<Verification, Refusal> {
    let keys = decode(placed, keys)?;
    let mut verification = by_rule(Basis::SignedBy, placed);
    let mut worst: Option<(Option<crate::Fingerprint>, Flaw)> = None;
    for layer in signatures.iter().take(MAX_SIGNATURES) {
        let examined = signed::examine(&keys, subject, layer);
        match (examined.key, examined.verdict) {
            (Some(key), Ok(digest)) => {
                // A key that signed twice is one signer still.
                if !verification.keys.contains(&key) {
                    verification.keys.push(key);
                    verification.signed_digest.get_or_insert(digest);
                }
                if verification.keys.len() >= threshold {
                    return Ok(verification);
                }
            }
            (key, Err(flaw)) => {
                if worst
                    .as_ref()
                    .is_none_or(|(_, known)| known.weight() < flaw.weight())
                {
                    worst = Some((key, flaw));
                }
            }
            (None, Ok(_)) => {}
        }
    }
    let mut wanted: Vec<_> = Vec::with_capacity(keys.len());
    for key in &keys {
        if !wanted.contains(&key.fingerprint()) {
            wanted.push(key.fingerprint());
        }
    }
    let demand = Box::new(Demand {
        reference: subject.reference.to_owned(),
        repository: subject.repository.clone(),
        rule: RuleId::of(placed),
        keys: wanted,
        threshold,
    });
    Err(Refusal::of(
        demand,
        verification.keys,
        worst,
        signatures.len(),
    ))
}

#[cfg(test)]
mod tests;
