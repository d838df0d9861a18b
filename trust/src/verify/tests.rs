//! Images, keys and policies to judge.

use std::path::PathBuf;

mod attacks;
mod attestations;
mod bundles;
mod keys;
mod monotonic;
mod recorded;
mod rules;

use image_name::{Prefix, Reference, Repository};

use super::*;
use crate::{
    Algorithm, Bundle, Fingerprint, Integrity, MAX_BUNDLE, MAX_PAYLOAD, PolicySource, PrivateKey,
    Rule, payload,
};
use crate::{
    Flaw, PublicKey, SignatureLayer, Timestamp, attestation_statement, signature_statement,
};

const INDEX: &str = "sha256:1111111111111111111111111111111111111111111111111111111111111111";
const MANIFEST: &str = "sha256:2222222222222222222222222222222222222222222222222222222222222222";
const OTHER: &str = "sha256:3333333333333333333333333333333333333333333333333333333333333333";
const NAME: &str = "a.io/foo";

fn digest(text: &str) -> Digest {
    Digest::parse(text).unwrap()
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
    judge_all(policy, name, signatures, &[], &at(None))
}

/// A moment at which nothing recorded is in the future.
fn now() -> Timestamp {
    Timestamp::parse("2027-01-01T00:00:00Z").unwrap()
}

fn at(newest_seen: Option<Timestamp>) -> Circumstances {
    Circumstances {
        now: now(),
        newest_seen,
    }
}

/// Judges the image `name` by evidence in both formats.
fn judge_all(
    policy: &Policy,
    name: &str,
    simple: &[SignatureLayer],
    bundles: &[Vec<u8>],
    at: &Circumstances,
) -> Result<VerifiedImage, Refusal> {
    let digests = [digest(INDEX), digest(MANIFEST)];
    let reference = Reference::parse_full(&format!("{name}:1")).unwrap();
    let subject = Subject {
        reference: &reference,
        digests: &digests,
        manifest: &digests[1],
    };
    let refused = verify(policy, &subject, &Evidence { simple, bundles }, at);
    if let Err(refusal) = &refused {
        let line = refusal.to_string();
        assert!(
            !line.contains(|c: char| c.is_control()) && line.len() < 1000,
            "{line}"
        );
    }
    refused
}

fn statement(name: &str, signed: &str) -> Vec<u8> {
    signature_statement(&Repository::parse(name).unwrap(), &digest(signed), None)
}

fn bundle(key: &PrivateKey, name: &str, signed: &str) -> Vec<u8> {
    key.sign_statement(&statement(name, signed))
}

/// Judges [`NAME`] by bundles alone.
fn judge_bundles(policy: &Policy, bundles: &[Vec<u8>]) -> Result<VerifiedImage, Refusal> {
    judge_all(policy, NAME, &[], bundles, &at(None))
}

fn time(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

/// A policy of one file.
fn policy_of(text: &str) -> Policy {
    policy(&[text.to_owned()])
}

/// Expects that none of the signatures is by a key that counts.
#[track_caller]
fn expect_wrong_key(verdict: Result<VerifiedImage, Refusal>) {
    let refusal = verdict.unwrap_err();
    assert!(matches!(refusal, Refusal::WrongKey { .. }), "{refusal}");
}

/// Expects a refusal whose message has this in it.
#[track_caller]
fn expect_refusal(verdict: Result<VerifiedImage, Refusal>, part: &str) {
    let refusal = verdict.unwrap_err().to_string();
    assert!(refusal.contains(part), "{refusal}");
}

/// Why an image is refused.
fn refused(policy: &Policy, name: &str, signatures: &[SignatureLayer]) -> Refusal {
    judge(policy, name, signatures).unwrap_err()
}
