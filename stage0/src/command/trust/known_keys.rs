//! The keys that the rules name, and where.

use trust::{Fingerprint, KeyText, PlacedRule, Policy, PublicKey, Requirement};

/// A key of a rule, for its signatures or for an attestation.
#[derive(Debug)]
pub(in crate::command) struct KnownKey<'a> {
    pub(in crate::command) fingerprint: Fingerprint,
    pub(in crate::command) key: PublicKey,
    pub(in crate::command) text: &'a KeyText,
    pub(in crate::command) placed: &'a PlacedRule,
}

/// Every key of every rule. Those that can't be read are left out.
pub(in crate::command) fn known_keys(policy: &Policy) -> Vec<KnownKey<'_>> {
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
pub(in crate::command) fn keys_of(requirement: &Requirement) -> Vec<&KeyText> {
    match requirement {
        Requirement::SignedBy { keys, .. } => keys.iter().collect(),
        Requirement::All(requirements) => requirements.iter().flat_map(keys_of).collect(),
        Requirement::Digest { .. }
        | Requirement::AcceptUnsigned
        | Requirement::Reject
        | Requirement::Unsupported(_) => Vec::new(),
    }
}
