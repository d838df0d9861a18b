//! The verdict: may this image run under this policy?

use image_name::Digest;

use crate::fingerprint::Fingerprint;
use crate::flaw::Worst;
use crate::held_key::{self, HeldKey};
use crate::identity::Identity;
use crate::key_text::KeyText;
use crate::policy::{PlacedRule, Policy};
use crate::refusal::{Demand, Refusal};
use crate::refused_image::RefusedImage;
use crate::rule::{AttestationDemand, Requirement};
use crate::rule_id::RuleId;
use crate::signed::{Accepted, Evidence, MAX_BUNDLES, Wanted};
use crate::subject::Subject;
use crate::timestamp::Timestamp;
use crate::verified::{Attested, Basis, Verification, VerifiedImage};

/// What a verdict depends on beside the policy and the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Circumstances {
    /// This machine's time: keys expire by it.
    pub now: Timestamp,
    /// The newest [`VerifiedImage::signed_at`] that this reference ever had here. A `monotonic` rule refuses
    /// what is older.
    pub newest_seen: Option<Timestamp>,
}

/// Judges an image by the policy as it is now and by what the store holds in its favour.
///
/// A signature counts once per key, in either format, over the index as well as over the platform manifest.
/// The first [`MAX_SIGNATURES`](crate::MAX_SIGNATURES) and [`MAX_BUNDLES`] are looked at, and no more
/// than are needed.
///
/// # Errors
/// [`Refusal`]: why the image must not run.
pub fn verify(
    policy: &Policy,
    subject: &Subject<'_>,
    evidence: &Evidence<'_>,
    at: &Circumstances,
) -> Result<VerifiedImage, Refusal> {
    let image = || Box::new(RefusedImage::of(policy, subject));
    if !subject.digests.contains(subject.manifest) {
        return Err(Refusal::BrokenChain {
            image: image(),
            manifest: Box::new(subject.manifest.clone()),
        });
    }
    let Some(placed) = policy.deciding(subject.reference) else {
        return Err(Refusal::NoRule {
            image: image(),
            signed: evidence.claims(subject),
            elsewhere: policy
                .elsewhere(subject.reference)
                .map(|placed| Box::new(RuleId::of(placed))),
        });
    };
    let case = Case {
        policy,
        placed,
        subject,
        evidence,
        at,
    };
    let mut verification = case.meet(placed.rule().requirement())?;
    for demand in placed.rule().attestations() {
        verification.attested.push(case.attested(demand)?);
    }
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

/// An image before the rule that decides.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case<'a> {
    pub(crate) policy: &'a Policy,
    pub(crate) placed: &'a PlacedRule,
    pub(crate) subject: &'a Subject<'a>,
    pub(crate) evidence: &'a Evidence<'a>,
    pub(crate) at: &'a Circumstances,
}

/// A key that signed, and what.
type Signer = (Fingerprint, Accepted);

impl Case<'_> {
    fn meet(&self, requirement: &Requirement) -> Result<Verification, Refusal> {
        match requirement {
            Requirement::SignedBy {
                keys,
                threshold,
                identity,
            } => self.signed_by(keys, *threshold, identity),
            Requirement::Digest { digests } => self.listed(digests),
            Requirement::AcceptUnsigned => Ok(self.by_rule(Basis::AcceptUnsigned)),
            Requirement::Reject => Err(Refusal::Rejected {
                image: Box::new(self.image()),
                rule: Box::new(RuleId::of(self.placed)),
            }),
            Requirement::Unsupported(what) => Err(Refusal::Unsupported {
                image: Box::new(self.image()),
                rule: Box::new(RuleId::of(self.placed)),
                what: what.clone(),
            }),
            Requirement::All(requirements) => {
                let mut met = self.by_rule(Basis::AcceptUnsigned);
                for requirement in requirements {
                    met.join(self.meet(requirement)?);
                }
                Ok(met)
            }
        }
    }

    /// The image, for a refusal.
    pub(crate) fn image(&self) -> RefusedImage {
        RefusedImage::of(self.policy, self.subject)
    }

    fn by_rule(&self, basis: Basis) -> Verification {
        Verification::by_rule(basis, self.placed)
    }

    fn listed(&self, digests: &[Digest]) -> Result<Verification, Refusal> {
        let listed = |digest: &&Digest| digests.contains(digest);
        match self.subject.digests.iter().find(listed) {
            Some(digest) => Ok(Verification {
                signed_digest: Some(digest.clone()),
                ..self.by_rule(Basis::Digest)
            }),
            None => Err(Refusal::DigestNotListed {
                image: Box::new(self.image()),
                manifest: Box::new(self.subject.manifest.clone()),
                rule: Box::new(RuleId::of(self.placed)),
            }),
        }
    }

    /// Decodes keys, of the rule or of one of its attestations.
    pub(crate) fn hold(&self, keys: &[KeyText]) -> Result<Vec<HeldKey>, Refusal> {
        HeldKey::all(self.policy, self.placed, keys, self.at.now, &|| {
            self.image()
        })
    }

    /// What a signature must be to count for the image.
    pub(crate) fn wanted<'a>(&'a self, keys: &'a [HeldKey], identity: &'a Identity) -> Wanted<'a> {
        Wanted {
            keys,
            subject: self.subject,
            identity,
            monotonic: self.placed.rule().is_monotonic(),
            now: self.at.now,
        }
    }

    fn demand(&self, keys: &[HeldKey], threshold: usize) -> Box<Demand> {
        Box::new(Demand {
            image: self.image(),
            rule: RuleId::of(self.placed),
            keys: held_key::distinct(keys),
            threshold,
            unfit: held_key::unfit_ones(keys),
            unanswered: Vec::new(),
        })
    }

    fn signed_by(
        &self,
        keys: &[KeyText],
        threshold: usize,
        identity: &Identity,
    ) -> Result<Verification, Refusal> {
        let keys = self.hold(keys)?;
        let monotonic = self.placed.rule().is_monotonic();
        let wanted = self.wanted(&keys, identity);
        let mut signers: Vec<Signer> = Vec::with_capacity(threshold);
        let mut worst = Worst::default();
        for examined in wanted.signatures(self.evidence) {
            match (examined.key, examined.verdict) {
                (Some(key), Ok(accepted)) => count(&mut signers, key, accepted),
                (key, Err(flaw)) => worst.see(key, flaw),
                (None, Ok(_)) => {}
            }
            // Where times count, a later signature by the same key may be newer.
            if signers.len() >= threshold && !monotonic {
                break;
            }
        }
        if signers.len() < threshold {
            let have = signers.iter().map(|(key, _)| *key).collect();
            let found = self.evidence.len();
            return Err(Refusal::of(
                self.demand(&keys, threshold),
                have,
                worst,
                found,
            ));
        }
        if monotonic {
            // Stable: of signatures of one second, those that came first count.
            signers.sort_by_key(|(_, accepted)| std::cmp::Reverse(accepted.time));
            signers.truncate(threshold);
        }
        // The oldest of the newest: no one key of several can make an image look newer than it is.
        let signed_at = signers.iter().filter_map(|(_, signed)| signed.time).min();
        if let (Some(signed), Some(seen)) = (signed_at, self.at.newest_seen)
            && signed < seen
        {
            return Err(Refusal::RolledBack {
                demand: self.demand(&keys, threshold),
                signed,
                seen,
            });
        }
        let digest = signers.first().map(|(_, signed)| signed.digest.clone());
        Ok(Verification {
            keys: signers.into_iter().map(|(key, _)| key).collect(),
            signed_digest: digest,
            signed_at,
            ..self.by_rule(Basis::SignedBy)
        })
    }

    /// Looks for an attestation that meets a demand.
    pub(crate) fn attested(&self, demand: &AttestationDemand) -> Result<Attested, Refusal> {
        let texts = match demand.keys.as_slice() {
            [] => self.placed.rule().key_texts(),
            own => own,
        };
        let keys = self.hold(texts)?;
        let identity = Identity::default();
        let wanted = self.wanted(&keys, &identity);
        let mut worst = Worst::default();
        for bundle in self.evidence.bundles.iter().take(MAX_BUNDLES) {
            let examined = wanted.attestation(bundle, &demand.predicate_type, &demand.conditions);
            match (examined.key, examined.verdict) {
                (Some(key), Ok(_)) => {
                    return Ok(Attested {
                        predicate_type: demand.predicate_type.clone(),
                        key,
                    });
                }
                (key, Err(flaw)) => worst.see(key, flaw),
                (None, Ok(_)) => {}
            }
        }
        Err(Refusal::NotAttested {
            demand: self.demand(&keys, 1),
            predicate_type: demand.predicate_type.clone(),
            why: worst
                .0
                .and_then(|(key, flaw)| key.map(|key| Box::new((key, flaw)))),
        })
    }
}

/// Counts a signature. A key that signed twice is one signer still; its newest signature counts.
fn count(signers: &mut Vec<Signer>, key: Fingerprint, accepted: Accepted) {
    match signers.iter_mut().find(|(known, _)| *known == key) {
        None => signers.push((key, accepted)),
        Some((_, known)) => {
            if accepted.time > known.time {
                *known = accepted;
            }
        }
    }
}

#[cfg(test)]
mod tests;
