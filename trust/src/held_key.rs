//! The keys of a rule as they stand now: decoded, and whether each counts.

use crate::fingerprint::Fingerprint;
use crate::key::PublicKey;
use crate::key_error::KeyError;
use crate::key_text::{KeyText, Validity};
use crate::policy::{PlacedRule, Policy};
use crate::refusal::Refusal;
use crate::refused_image::RefusedImage;
use crate::rule_id::RuleId;
use crate::timestamp::Timestamp;
use crate::unfit::Unfit;

/// A key of a rule.
#[derive(Debug, Clone)]
pub(crate) struct HeldKey {
    pub(crate) key: PublicKey,
    pub(crate) unfit: Option<Unfit>,
}

impl HeldKey {
    /// Decodes the keys of the rule that decides.
    pub(crate) fn all(
        policy: &Policy,
        placed: &PlacedRule,
        keys: &[KeyText],
        now: Timestamp,
        image: &dyn Fn() -> RefusedImage,
    ) -> Result<Vec<Self>, Refusal> {
        keys.iter()
            .enumerate()
            .map(|(at, text)| {
                Self::of(policy, text, now).map_err(|source| Refusal::BrokenKey {
                    image: Box::new(image()),
                    rule: Box::new(RuleId::of(placed)),
                    position: at + 1,
                    source,
                })
            })
            .collect()
    }

    /// Decodes a key.
    pub(crate) fn of(policy: &Policy, text: &KeyText, now: Timestamp) -> Result<Self, KeyError> {
        let key = text.decode()?;
        let unfit = unfit(policy, key.fingerprint(), text.validity(), now);
        Ok(Self { key, unfit })
    }
}

/// Why a key doesn't count now, if it doesn't.
pub(crate) fn unfit(
    policy: &Policy,
    fingerprint: Fingerprint,
    validity: Validity,
    now: Timestamp,
) -> Option<Unfit> {
    let revoked = policy.revoked().iter().find(|placed| {
        let revocation = placed.revocation();
        revocation.fingerprint == fingerprint && revocation.since.is_none_or(|since| since <= now)
    });
    if let Some(placed) = revoked {
        return Some(Unfit::Revoked {
            file: placed.file().to_owned(),
        });
    }
    match validity {
        Validity {
            not_after: Some(not_after),
            ..
        } if now > not_after => Some(Unfit::Expired { not_after }),
        Validity {
            not_before: Some(not_before),
            ..
        } if now < not_before => Some(Unfit::NotYet { not_before }),
        _ => None,
    }
}

/// The distinct keys, in the order of the rule.
pub(crate) fn distinct(keys: &[HeldKey]) -> Vec<Fingerprint> {
    let mut distinct = Vec::with_capacity(keys.len());
    for held in keys {
        if !distinct.contains(&held.key.fingerprint()) {
            distinct.push(held.key.fingerprint());
        }
    }
    distinct
}

/// The distinct keys that don't count now, and why.
pub(crate) fn unfit_ones(keys: &[HeldKey]) -> Vec<(Fingerprint, Unfit)> {
    let mut unfit: Vec<(Fingerprint, Unfit)> = Vec::new();
    for held in keys {
        let fingerprint = held.key.fingerprint();
        if let Some(why) = &held.unfit
            && unfit.iter().all(|(known, _)| *known != fingerprint)
        {
            unfit.push((fingerprint, why.clone()));
        }
    }
    unfit
}
