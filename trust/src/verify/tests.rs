//! Images, keys and policies to judge.

use std::path::PathBuf;

mod attacks;
mod rules;

use super::*;
use crate::{
    Algorithm, Fingerprint, Integrity, MAX_PAYLOAD, PolicySource, Prefix, PrivateKey, Rule, payload,
};

const INDEX: &str = "sha256:1111111111111111111111111111111111111111111111111111111111111111";
const MANIFEST: &str = "sha256:2222222222222222222222222222222222222222222222222222222222222222";
const OTHER: &str = "sha256:3333333333333333333333333333333333333333333333333333333333333333";
const NAME: &str = "a.io/foo";

fn digest(text: &str) -> Digest {
    Digest::try_from(text).unwrap()
}

fn key() -> PrivateKey {
    PrivateKey::generate(Algorithm::Ed25519).unwrap()
}

fn layer(key: &PrivateKey, payload: Vec<u8>) -> SignatureLayer {
    let signature = key.sign(&payload);
    SignatureLayer { payload, signature }
}

fn sign(key: &PrivateKey, name: &str, signed: &str) -> SignatureLayer {
    layer(
        key,
        payload(&Repository::parse(name).unwrap(), &digest(signed), None),
    )
}

fn policy(rules: &[String]) -> Policy {
    let source = PolicySource {
        path: PathBuf::from("/etc/t/a.toml"),
        text: rules.concat(),
    };
    Policy::parse(&[], &[source]).unwrap()
}

fn signed_by(prefix: &str, keys: &[&PrivateKey], threshold: usize) -> String {
    let keys: Vec<_> = keys.iter().map(|key| key.public().clone()).collect();
    Rule::signed_by(Prefix::parse(prefix).unwrap(), &keys, threshold)
        .unwrap()
        .to_toml()
}

fn rule(prefix: &str, kind: &str) -> String {
    format!("[[rule]]\nprefix = \"{prefix}\"\ntype = \"{kind}\"\n")
}

/// Judges the image `name`, an index and a manifest.
fn judge(
    policy: &Policy,
    name: &str,
    signatures: &[SignatureLayer],
) -> Result<VerifiedImage, Refusal> {
    let digests = [digest(INDEX), digest(MANIFEST)];
    let repository = Repository::parse(name).unwrap();
    let reference = format!("{name}:1");
    let subject = Subject {
        repository: &repository,
        reference: &reference,
        digests: &digests,
        manifest: &digests[1],
    };
    verify(policy, &subject, signatures)
}

/// Judges [`NAME`] by one key; the refusal and its advice must be fit for a terminal.
fn refused(policy: &Policy, name: &str, signatures: &[SignatureLayer]) -> Refusal {
    let refusal = judge(policy, name, signatures).unwrap_err();
    for line in std::iter::once(refusal.to_string()).chain(refusal.advice()) {
        assert!(
            !line.contains(|c: char| c.is_control()) && line.len() < 1000,
            "{line}"
        );
    }
    assert!(!refusal.advice().is_empty());
    refusal
}
