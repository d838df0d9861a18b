//! Policies put to the test: cases of images and signers, and whether each must run
//! (`fairing trust test-policy FILE`).
//!
//! ```toml
//! [[case]]
//! name = "releases run"                          # optional
//! image = "registry.example.com/team/app:1.0"
//! signed-by = ["sha256:…"]                       # fingerprints; empty if not said
//! expect = "accept"                              # or "refuse"
//!
//! [[case]]
//! image = "registry.example.com/team/app@sha256:…"
//! signed-at = "2026-11-20T10:00:00Z"             # when its signers signed
//! newest-seen = "2026-11-21T10:00:00Z"           # the newest signature seen by that name before
//! now = "2027-01-01T00:00:00Z"                   # this machine's time otherwise
//! expect = "refuse"
//! reason = "older than one that was seen"        # what the refusal must say, a part of it
//!
//! [[case.attestation]]
//! type = "https://slsa.dev/provenance/v1"
//! signed-by = "sha256:…"
//! predicate = '{"runDetails":{"builder":{"id":"https://ci.example.com/builder"}}}'
//! ```
//!
//! Signatures are taken as made, and no private key is needed: each key that is named is replaced, in the
//! policy and in the case, by one that is made up for the test. Everything else is judged as at a start, by
//! the same code.

use image_name::Reference;
use serde::{Deserialize, Serialize};
use toml::Spanned;

use crate::algorithm::Algorithm;
use crate::digest::parse_digest;
use crate::fingerprint::Fingerprint;
use crate::key_error::KeyError;
use crate::one_line;
use crate::policy::Policy;
use crate::private_key::PrivateKey;
use crate::refusal::Refusal;
use crate::signed::{Evidence, SignatureLayer};
use crate::simple_signing;
use crate::statement;
use crate::subject::Subject;
use crate::timestamp::Timestamp;
use crate::verify::{Circumstances, verify};

/// What came of one case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct CaseOutcome {
    /// The name of the case, or its image.
    pub name: String,
    /// Whether the verdict is the one that was expected.
    pub passed: bool,
    /// The verdict: "allowed: …" or "refused: …".
    pub verdict: String,
    /// What was expected instead; only if the case failed.
    pub expected: Option<String>,
}

/// Why a file of cases can't be run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyTestError {
    /// No TOML, not of the right shape, or a case that makes no sense.
    #[error("line {line}: {reason}")]
    File {
        /// The line, from 1.
        line: usize,
        /// What is wrong there.
        reason: String,
    },
    /// A test of nothing passes always.
    #[error("it has no [[case]]")]
    Empty,
    /// No key could be made up.
    #[error("cannot make a key for the test")]
    Key(#[from] KeyError),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    case: Vec<Spanned<Case>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Case {
    name: Option<String>,
    image: String,
    digest: Option<String>,
    #[serde(default)]
    signed_by: Vec<Fingerprint>,
    signed_name: Option<String>,
    signed_digest: Option<String>,
    signed_at: Option<Timestamp>,
    newest_seen: Option<Timestamp>,
    now: Option<Timestamp>,
    #[serde(default)]
    attestation: Vec<CaseAttestation>,
    expect: Expect,
    reason: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct CaseAttestation {
    r#type: String,
    signed_by: Fingerprint,
    predicate: Option<String>,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
enum Expect {
    Accept,
    Refuse,
}

/// The digest of an image of which none is given.
const SOME_DIGEST: &str = "sha256:5050505050505050505050505050505050505050505050505050505050505050";

/// Runs the cases of a file against a policy. `now` is the time of cases that name none.
///
/// # Errors
/// [`PolicyTestError`] if the file is not understood; a case that fails is no error.
pub fn test_policy(
    policy: &Policy,
    text: &str,
    now: Timestamp,
) -> Result<Vec<CaseOutcome>, PolicyTestError> {
    let line_at = |offset: usize| {
        let before = text.as_bytes().get(..offset).unwrap_or_default();
        before.iter().filter(|byte| **byte == b'\n').count() + 1
    };
    let file: File = toml::from_str(text).map_err(|error| PolicyTestError::File {
        line: error.span().map_or(1, |span| line_at(span.start)),
        reason: one_line::plain(error.message()),
    })?;
    if file.case.is_empty() {
        return Err(PolicyTestError::Empty);
    }
    let mut stand_ins = StandIns::default();
    for case in &file.case {
        let case = case.as_ref();
        let attesters = case
            .attestation
            .iter()
            .map(|attestation| &attestation.signed_by);
        for fingerprint in case.signed_by.iter().chain(attesters) {
            stand_ins.add(*fingerprint)?;
        }
    }
    let policy = stand_ins.applied_to(policy);
    file.case
        .iter()
        .map(|case| {
            let line = line_at(case.span().start);
            case.as_ref()
                .run(&policy, &stand_ins, now)
                .map_err(|reason| PolicyTestError::File { line, reason })
        })
        .collect()
}

/// Keys that stand for those that cases name.
#[derive(Default)]
struct StandIns(Vec<(Fingerprint, PrivateKey)>);

impl StandIns {
    fn add(&mut self, fingerprint: Fingerprint) -> Result<(), KeyError> {
        if self.0.iter().all(|(real, _)| *real != fingerprint) {
            self.0
                .push((fingerprint, PrivateKey::generate(Algorithm::Ed25519)?));
        }
        Ok(())
    }

    fn of(&self, fingerprint: Fingerprint) -> Result<&PrivateKey, String> {
        let found = self.0.iter().find(|(real, _)| *real == fingerprint);
        found
            .map(|(_, key)| key)
            .ok_or_else(|| format!("no key {fingerprint}"))
    }

    fn applied_to(&self, policy: &Policy) -> Policy {
        policy.with_keys(&|real| self.of(real).ok().map(|key| key.public().clone()))
    }

    /// A message with the real keys in place of those that stand for them.
    fn undo(&self, mut message: String) -> String {
        for (real, key) in &self.0 {
            let stand_in = key.public().fingerprint().to_string();
            message = message.replace(&stand_in, &real.to_string());
        }
        message
    }
}

impl Case {
    fn run(&self, policy: &Policy, keys: &StandIns, now: Timestamp) -> Result<CaseOutcome, String> {
        let reference = Reference::parse_full(&self.image).map_err(|error| error.to_string())?;
        let repository = reference.repository();
        let digest_of = |text: &Option<String>| {
            let digest = text.as_deref().map(parse_digest).transpose();
            digest.map_err(|error| error.to_string())
        };
        let manifest = match (digest_of(&self.digest)?, reference.digest()) {
            (Some(digest), _) => digest,
            (None, Some(asked)) => asked.clone(),
            (None, None) => parse_digest(SOME_DIGEST).map_err(|error| error.to_string())?,
        };
        let signed_digest = digest_of(&self.signed_digest)?;
        let signed = signed_digest.as_ref().unwrap_or(&manifest);
        let name = self.signed_name.as_deref().unwrap_or(repository.as_str());
        let payload = simple_signing::payload_for(name, signed, self.signed_at);
        let mut simple = Vec::with_capacity(self.signed_by.len());
        for fingerprint in &self.signed_by {
            simple.push(SignatureLayer {
                payload: payload.clone(),
                signature: keys.of(*fingerprint)?.sign(&payload),
            });
        }
        let mut bundles = Vec::with_capacity(self.attestation.len());
        for attestation in &self.attestation {
            let kind = statement::predicate_type(&attestation.r#type);
            let statement = statement::attestation_statement(
                repository,
                signed,
                self.signed_at,
                kind.unwrap_or(&attestation.r#type),
                attestation.predicate.as_deref().unwrap_or("{}").as_bytes(),
            )
            .map_err(|error| error.to_string())?;
            let key = keys.of(attestation.signed_by)?;
            bundles.push(key.sign_statement(&statement));
        }
        let subject = Subject {
            reference: &reference,
            digests: std::slice::from_ref(&manifest),
            manifest: &manifest,
        };
        let evidence = Evidence {
            simple: &simple,
            bundles: &bundles,
        };
        let at = Circumstances {
            now: self.now.unwrap_or(now),
            newest_seen: self.newest_seen,
        };
        let (allowed, verdict) = match verify(policy, &subject, &evidence, &at) {
            Ok(image) => (Expect::Accept, format!("allowed: {}", image.verification())),
            Err(refusal) => (
                Expect::Refuse,
                format!("refused: {}", self.reason_of(&refusal)),
            ),
        };
        Ok(self.outcome(allowed, keys.undo(verdict)))
    }

    /// Why an image was refused, as far as it is known: a case that names no digest has none.
    fn reason_of(&self, refusal: &Refusal) -> String {
        let text = refusal.to_string();
        match self.digest.is_some() || self.image.contains('@') {
            true => text,
            false => text.replace(SOME_DIGEST, "its digest, which the case does not name"),
        }
    }

    fn outcome(&self, allowed: Expect, verdict: String) -> CaseOutcome {
        let reason = self.reason.as_deref().unwrap_or_default();
        let expected = match self.expect {
            expect if expect == allowed && verdict.contains(reason) => None,
            Expect::Accept => Some("to be allowed".to_owned()),
            Expect::Refuse if reason.is_empty() => Some("to be refused".to_owned()),
            Expect::Refuse => Some(format!(
                "to be refused with {} in the message",
                one_line::quoted(reason)
            )),
        };
        CaseOutcome {
            name: self.name.as_ref().unwrap_or(&self.image).clone(),
            passed: expected.is_none(),
            verdict,
            expected,
        }
    }
}

#[cfg(test)]
mod tests;
