//! The keys that the rules name, and where.

use trust::{Fingerprint, KeyText, PlacedRule, Policy, PublicKey, Requirement};

/// A key of a rule, for its signatures or for an attestation.
#[derive(Debug)]
pub(super) struct KnownKey<'a> {
    pub(super) fingerprint: Fingerprint,
    pub(super) key: PublicKey,
    pub(super) text: &'a KeyText,
    pub(super) placed: &'a PlacedRule,
}

/// Every key of every rule. Those that can't be read are left out.
pub(super) fn known_keys(policy: &Policy) -> Vec<KnownKey<'_>> {
    let mut known = Vec::new();
    for placed in policy.rules() {
        let demanded = placed.rule().attestations().iter();
        let texts = keys_of(placed.rule().requirement())
            .into_iter()
            .chain(demanded.flat_map(|demand| &demand.keys));
        for text in texts {
            if let Ok(key) = text.decode() {
                known.push(KnownKey {
                    fingerprint: key.fingerprint(),
                    key,
                    text,
                    placed,
                });
            }
        }
    }
    known
}

/// The keys that a requirement names, in all its parts.
pub(super) fn keys_of(requirement: &Requirement) -> Vec<&KeyText> {
    match requirement {
        Requirement::SignedBy { keys, .. } => keys.iter().collect(),
        Requirement::All(requirements) => requirements.iter().flat_map(keys_of).collect(),
        Requirement::Digest { .. }
        | Requirement::AcceptUnsigned
        | Requirement::Reject
        | Requirement::Unsupported(_) => Vec::new(),
    }
}
