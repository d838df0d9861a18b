//! What signatures say of themselves, for lists: who made them of all keys that the policy knows,
//! for what, when, and the rule by which each counts. No verdict about the image: see
//! [`explain`](crate::explain()).

use image_name::{Digest, Prefix};
use serde::Serialize;

use crate::bundle::Bundle;
use crate::fingerprint::Fingerprint;
use crate::key::PublicKey;
use crate::key_text::KeyText;
use crate::policy::{PlacedRule, Policy};
use crate::rule::{AttestationDemand, Requirement};
use crate::signed::{Evidence, MAX_BUNDLES, MAX_SIGNATURES, SignatureLayer, Wanted};
use crate::simple_signing::Claim;
use crate::statement::{SIGNATURE_TYPE, Statement};
use crate::subject::Subject;
use crate::timestamp::{SignedTime, Timestamp};
use crate::verify::{Case, Circumstances};

/// One signature or attestation of the store. All but the key and the rule is what its signer says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct SignatureFacts {
    /// Its format: `simple` (cosign's tag format) or `bundle` (Sigstore's).
    pub format: &'static str,
    /// The key that made it, if the policy names that key anywhere.
    pub key: Option<Fingerprint>,
    /// The digest that it is for.
    pub signed_digest: Option<Digest>,
    /// When it was made.
    pub signed_at: Option<Timestamp>,
    /// The kind of attestation; none for a signature.
    pub predicate_type: Option<String>,
    /// The prefix of the rule that decides, if it counts by that rule.
    pub rule: Option<Prefix>,
    /// What stands against it, if it counts by no rule.
    pub flaw: Option<String>,
}

/// Lists what there is in favour of an image.
pub fn signature_facts(
    policy: &Policy,
    subject: &Subject<'_>,
    evidence: &Evidence<'_>,
    at: &Circumstances,
) -> Vec<SignatureFacts> {
    let keys = known_keys(policy);
    let placed = policy.deciding(subject.reference);
    let case = placed.map(|placed| Case {
        policy,
        placed,
        subject,
        evidence,
        at,
    });
    let simple = evidence.simple.iter().take(MAX_SIGNATURES).map(|layer| {
        let mut facts = of_simple(layer, &keys);
        let verdict = case.as_ref().map(|case| {
            by_requirement(case, case.placed.rule().requirement(), &|wanted| {
                wanted.simple(layer).verdict.map(drop)
            })
        });
        facts.judged(placed, verdict);
        facts
    });
    let bundles = evidence.bundles.iter().take(MAX_BUNDLES).map(|bytes| {
        let mut facts = of_bundle(bytes, &keys, subject);
        let verdict = case.as_ref().map(|case| match &facts.predicate_type {
            Some(kind) => by_demands(case, kind, bytes),
            None => by_requirement(case, case.placed.rule().requirement(), &|wanted| {
                wanted.bundle(bytes).verdict.map(drop)
            }),
        });
        facts.judged(placed, verdict);
        facts
    });
    simple.chain(bundles).collect()
}

impl SignatureFacts {
    fn of(format: &'static str) -> Self {
        Self {
            format,
            key: None,
            signed_digest: None,
            signed_at: None,
            predicate_type: None,
            rule: None,
            flaw: None,
        }
    }

    fn judged(&mut self, placed: Option<&PlacedRule>, verdict: Option<Result<(), String>>) {
        match verdict {
            Some(Ok(())) => self.rule = placed.map(|placed| placed.rule().prefix().clone()),
            Some(Err(flaw)) => self.flaw = self.flaw.take().or(Some(flaw)),
            None => {
                self.flaw = self
                    .flaw
                    .take()
                    .or(Some("no rule covers the image".to_owned()))
            }
        }
    }
}

/// Every key of every rule, each once; those that can't be read are left out.
fn known_keys(policy: &Policy) -> Vec<PublicKey> {
    let mut known: Vec<PublicKey> = Vec::new();
    let mut add = |texts: &[KeyText]| {
        for key in texts.iter().filter_map(|text| text.decode().ok()) {
            if !known.contains(&key) {
                known.push(key);
            }
        }
    };
    for placed in policy.rules() {
        keys_of(placed.rule().requirement(), &mut add);
        for demand in placed.rule().attestations() {
            add(&demand.keys);
        }
    }
    known
}

fn keys_of(requirement: &Requirement, add: &mut impl FnMut(&[KeyText])) {
    match requirement {
        Requirement::SignedBy { keys, .. } => add(keys),
        Requirement::All(requirements) => {
            for requirement in requirements {
                keys_of(requirement, add);
            }
        }
        _ => {}
    }
}

fn of_simple(layer: &SignatureLayer, keys: &[PublicKey]) -> SignatureFacts {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    let mut facts = SignatureFacts::of("simple");
    match Claim::parse(&layer.payload) {
        Ok(claim) => {
            facts.signed_digest = Some(claim.digest().clone());
            facts.signed_at = time(claim.time());
        }
        Err(error) => facts.flaw = Some(error.to_string()),
    }
    let signature = STANDARD.decode(&layer.signature).unwrap_or_default();
    let signer = keys
        .iter()
        .find(|key| key.verifies(&layer.payload, &signature));
    facts.key = signer.map(PublicKey::fingerprint);
    facts
}

fn of_bundle(bytes: &[u8], keys: &[PublicKey], subject: &Subject<'_>) -> SignatureFacts {
    let mut facts = SignatureFacts::of("bundle");
    let bundle = match Bundle::parse(bytes) {
        Ok(bundle) => bundle,
        Err(error) => {
            facts.flaw = Some(error.to_string());
            return facts;
        }
    };
    let signer = keys.iter().find(|key| bundle.is_signed_by(key));
    facts.key = signer.map(PublicKey::fingerprint);
    match Statement::parse(bundle.payload()) {
        Ok(statement) => {
            let about = statement.about(subject.digests);
            let first = statement.digests().next();
            facts.signed_digest = about.as_ref().map(|about| about.digest).or(first).cloned();
            facts.signed_at = time(about.and_then(|about| about.time));
            let kind = statement.predicate_type();
            facts.predicate_type = (kind != SIGNATURE_TYPE).then(|| kind.to_owned());
        }
        Err(error) => facts.flaw = Some(error.to_string()),
    }
    facts
}

fn time(signed: Option<&SignedTime>) -> Option<Timestamp> {
    match signed {
        Some(SignedTime::At(time)) => Some(*time),
        _ => None,
    }
}

/// Whether a signature counts by any part of a requirement.
fn by_requirement(
    case: &Case<'_>,
    requirement: &Requirement,
    examine: &dyn Fn(&Wanted<'_>) -> Result<(), crate::flaw::Flaw>,
) -> Result<(), String> {
    match requirement {
        Requirement::SignedBy { keys, identity, .. } => {
            let keys = case.hold(keys).map_err(|refusal| refusal.to_string())?;
            examine(&case.wanted(&keys, identity)).map_err(|flaw| flaw.to_string())
        }
        Requirement::All(requirements) => {
            let mut verdict = Err("the rule requires no signature".to_owned());
            for requirement in requirements {
                verdict = by_requirement(case, requirement, examine);
                if verdict.is_ok() {
                    break;
                }
            }
            verdict
        }
        other => Err(format!("the rule, of type {}, requires none", other.word())),
    }
}

/// Whether an attestation meets a demand of the rule.
fn by_demands(case: &Case<'_>, kind: &str, bytes: &[u8]) -> Result<(), String> {
    let rule = case.placed.rule();
    let demands = rule.attestations().iter();
    let mut verdict = Err("the rule requires no such attestation".to_owned());
    for demand in demands.filter(|demand| demand.predicate_type == kind) {
        verdict = by_demand(case, demand, bytes);
        if verdict.is_ok() {
            break;
        }
    }
    verdict
}

fn by_demand(case: &Case<'_>, demand: &AttestationDemand, bytes: &[u8]) -> Result<(), String> {
    let texts = match demand.keys.as_slice() {
        [] => case.placed.rule().key_texts(),
        own => own,
    };
    let keys = case.hold(texts).map_err(|refusal| refusal.to_string())?;
    let identity = crate::identity::Identity::default();
    let wanted = case.wanted(&keys, &identity);
    let examined = wanted.attestation(bytes, &demand.predicate_type, &demand.conditions);
    examined.verdict.map(drop).map_err(|flaw| flaw.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::PolicySource;
    use crate::private_key::PrivateKey;
    use crate::rule::Rule;
    use crate::{add_key, attestation_statement, payload, signature_statement};
    use image_name::Repository;

    #[test]
    fn each_signature_is_told_with_key_time_and_rule() {
        let key = PrivateKey::from_pem(include_str!("../tests/data/p256.key")).unwrap();
        let other = PrivateKey::from_pem(include_str!("../tests/data/ed25519.key")).unwrap();
        let prefix = Prefix::parse("a.io/foo").unwrap();
        let source = PolicySource {
            path: "/etc/t.toml".into(),
            text: add_key(None, &prefix, key.public()).unwrap(),
        };
        let policy = Policy::parse(&[], &[source]).unwrap();
        let repository = Repository::parse("a.io/foo/x").unwrap();
        let digest: Digest = format!("sha256:{}", "ab".repeat(32)).parse().unwrap();
        let now = Timestamp::parse("2026-11-20T10:00:00Z").unwrap();
        let layer = |key: &PrivateKey| {
            let payload = payload(&repository, &digest, Some(now));
            let signature = key.sign(&payload);
            SignatureLayer { payload, signature }
        };
        let kind = "https://slsa.dev/provenance/v1";
        let scan = attestation_statement(&repository, &digest, None, kind, b"{}").unwrap();
        let bundles = [
            key.sign_statement(&signature_statement(&repository, &digest, Some(now))),
            key.sign_statement(&scan),
            b"{}".to_vec(),
        ];
        let simple = [layer(&key), layer(&other)];
        let subject = Subject {
            reference: &"a.io/foo/x".parse().unwrap(),
            digests: std::slice::from_ref(&digest),
            manifest: &digest,
        };
        let evidence = Evidence {
            simple: &simple,
            bundles: &bundles,
        };
        let at = Circumstances {
            now,
            newest_seen: None,
        };
        let facts = signature_facts(&policy, &subject, &evidence, &at);
        let [signed, unknown, bundle, attested, broken] = facts.as_slice() else {
            panic!("{facts:?}");
        };
        for good in [signed, bundle] {
            assert_eq!(good.key, Some(key.public().fingerprint()));
            assert_eq!(good.signed_at, Some(now));
            assert_eq!(good.rule.as_ref(), Some(&prefix));
            assert_eq!(good.flaw, None);
        }
        assert_eq!((unknown.key, &unknown.rule), (None, &None));
        assert_eq!(unknown.signed_digest.as_ref(), Some(&digest));
        assert_eq!(attested.predicate_type.as_deref(), Some(kind));
        assert_eq!(attested.key, Some(key.public().fingerprint()));
        assert!(
            attested
                .flaw
                .as_deref()
                .unwrap()
                .contains("no such attestation")
        );
        assert!(broken.flaw.is_some() && broken.signed_digest.is_none());

        // An attestation is told by the demand that it meets, or with what it lacks.
        let condition = "[[rule.attestation.condition]]\nfield = \"predicate.a\"\npresent = true\n";
        for (condition, is_met) in [("", true), (condition, false)] {
            let demand = format!("[[rule.attestation]]\ntype = \"{kind}\"\n{condition}");
            let source = PolicySource {
                path: "/etc/t.toml".into(),
                text: add_key(None, &prefix, key.public()).unwrap() + &demand,
            };
            let policy = Policy::parse(&[], &[source]).unwrap();
            let facts = signature_facts(&policy, &subject, &evidence, &at);
            let attested = &facts[3];
            assert_eq!(attested.rule.is_some(), is_met, "{attested:?}");
            assert_eq!(attested.flaw.is_none(), is_met, "{attested:?}");
        }

        // Where a rule wants several, each is told by its own.
        let signed_by = |key: &PrivateKey| {
            Requirement::signed_by(vec![KeyText::new(&key.public().to_pem())], 1)
        };
        let both = Requirement::All(vec![signed_by(&key), signed_by(&other)]);
        let rule = Rule::new(prefix.clone(), both).unwrap();
        let policy = Policy::of_rules(vec![rule], "/etc/policy.json".as_ref()).unwrap();
        let facts = signature_facts(&policy, &subject, &evidence, &at);
        for (told, signer) in facts.iter().zip([&key, &other, &key]) {
            assert_eq!(told.key, Some(signer.public().fingerprint()));
            assert_eq!((told.rule.as_ref(), &told.flaw), (Some(&prefix), &None));
        }
    }
}
