//! Policy files: TOML text becomes rules and revocations, or an error that says where it is wrong.

use image_name::{NameError, Prefix};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_path_to_error::Segment;
use toml::Spanned;

use crate::attestation_file::FileAttestation;
use crate::digest::parse_digest;
use crate::fingerprint::Fingerprint;
use crate::integrity::Integrity;
use crate::key_text::{KeyText, Validity};
use crate::one_line;
use crate::revocation::Revocation;
use crate::rule::{Requirement, Rule, RuleError};
use crate::timestamp::Timestamp;

/// What is wrong in a policy file; the caller knows which file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FileError {
    /// No TOML, or not of the right shape.
    #[error("line {line}: {reason}")]
    Syntax { line: usize, reason: String },
    /// A prefix that could never match.
    #[error("line {line}: {error}")]
    Prefix { line: usize, error: NameError },
    /// A requirement that makes no sense.
    #[error("line {line}: rule {prefix:?}: {error}")]
    Rule {
        line: usize,
        prefix: String,
        error: RuleError,
    },
    /// Text, but no rule.
    #[error("it has no rule: only an empty file masks the one of the same name")]
    NoRule,
}

/// What a file says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Contents {
    pub(crate) rules: Vec<Rule>,
    /// Where each of them begins.
    pub(crate) lines: Vec<usize>,
    pub(crate) revoked: Vec<Revocation>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    rule: Vec<Spanned<FileRule>>,
    #[serde(default)]
    revoked: Vec<FileRevocation>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct FileRule {
    prefix: String,
    r#type: Word,
    #[serde(default)]
    integrity: Integrity,
    monotonic: Option<bool>,
    kubernetes_namespaces: Option<Vec<String>>,
    keys: Option<Vec<String>>,
    key: Option<Vec<FileKey>>,
    threshold: Option<u64>,
    digests: Option<Vec<String>>,
    attestation: Option<Vec<FileAttestation>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct FileKey {
    pem: String,
    not_before: Option<FileTime>,
    not_after: Option<FileTime>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileRevocation {
    fingerprint: Fingerprint,
    since: Option<FileTime>,
}

/// A time, as TOML has it or as a text.
struct FileTime(Timestamp);

impl<'de> Deserialize<'de> for FileTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = match toml::Value::deserialize(deserializer)? {
            toml::Value::String(text) => text,
            toml::Value::Datetime(time) => time.to_string(),
            other => {
                let found = other.type_str();
                return Err(D::Error::custom(format_args!("{found} is not a time")));
            }
        };
        Timestamp::parse(&text).map(Self).map_err(D::Error::custom)
    }
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
enum Word {
    SignedBy,
    Digest,
    AcceptUnsigned,
    Reject,
}

/// Parses the text of one file. An empty text (or one of blanks alone) says nothing; any other text must
/// hold a rule or a revocation, so that a file that was cut in its leading comment is noticed.
pub(crate) fn parse(text: &str) -> Result<Contents, FileError> {
    if text.trim().is_empty() {
        return Ok(Contents::default());
    }
    let wrong = |error: &toml::de::Error, setting: &str| FileError::Syntax {
        line: error.span().map_or(1, |span| line_at(text, span.start)),
        reason: format!("{setting}{}", one_line::plain(error.message())),
    };
    let document = toml::Deserializer::parse(text).map_err(|error| wrong(&error, ""))?;
    let file: File = serde_path_to_error::deserialize(document).map_err(|error| {
        // The last one that has a name: where something stands in its list, the line says.
        let name = error.path().iter().rev().find_map(|segment| match segment {
            Segment::Map { key } if !key.starts_with('$') => Some(key),
            _ => None,
        });
        let is_told = |name: &&String| error.inner().message().contains(&format!("`{name}`"));
        match name.filter(|name| !is_told(name)) {
            Some(name) => wrong(error.inner(), &format!("{name}: ")),
            None => wrong(error.inner(), ""),
        }
    })?;
    if file.rule.is_empty() && file.revoked.is_empty() {
        return Err(FileError::NoRule);
    }
    let spans = file.rule.iter().map(Spanned::span);
    let lines: Vec<_> = spans.map(|span| line_at(text, span.start)).collect();
    let rules = file.rule.into_iter().zip(&lines);
    let rules = rules.map(|(rule, line)| rule_of(rule.into_inner(), *line));
    let revoked = file.revoked.into_iter().map(|raw| Revocation {
        fingerprint: raw.fingerprint,
        since: raw.since.map(|time| time.0),
    });
    Ok(Contents {
        rules: rules.collect::<Result<_, _>>()?,
        lines,
        revoked: revoked.collect(),
    })
}

fn rule_of(raw: FileRule, line: usize) -> Result<Rule, FileError> {
    let prefix = Prefix::parse(&raw.prefix).map_err(|error| FileError::Prefix { line, error })?;
    let shown = prefix.to_string();
    requirement_of(&raw)
        .and_then(|requirement| {
            let attestations = raw.attestation.unwrap_or_default();
            let attestations = attestations.into_iter().map(FileAttestation::read);
            let rule = Rule::new(prefix, requirement)?
                .with_integrity(raw.integrity)
                .with_monotonic(raw.monotonic.unwrap_or(false))?
                .with_attestations(attestations.collect::<Result<_, _>>()?)?;
            match raw.kubernetes_namespaces {
                Some(namespaces) => rule.with_kubernetes_namespaces(namespaces),
                None => Ok(rule),
            }
        })
        .map_err(|error| FileError::Rule {
            line,
            prefix: shown,
            error,
        })
}

fn requirement_of(raw: &FileRule) -> Result<Requirement, RuleError> {
    let has = [
        ("keys", raw.keys.is_some()),
        ("key", raw.key.is_some()),
        ("monotonic", raw.monotonic.is_some()),
        ("attestation", raw.attestation.is_some()),
        ("threshold", raw.threshold.is_some()),
        ("digests", raw.digests.is_some()),
    ];
    let only = |word, allowed: &[&str]| {
        let extra = has
            .iter()
            .find(|(member, there)| *there && !allowed.contains(member));
        extra.map_or(Ok(()), |(member, _)| {
            Err(RuleError::Member { word, member })
        })
    };
    match raw.r#type {
        Word::SignedBy => {
            let allowed = ["keys", "key", "threshold", "monotonic", "attestation"];
            only("signed-by", &allowed)?;
            let texts = raw.keys.as_deref().unwrap_or_default();
            let limited = raw.key.as_deref().unwrap_or_default();
            let keys: Vec<_> = texts
                .iter()
                .map(|text| Ok(KeyText::new(text)))
                .chain(limited.iter().map(FileKey::read))
                .collect::<Result<_, _>>()?;
            let threshold = raw.threshold.unwrap_or(1);
            let out_of_range = RuleError::Threshold {
                threshold,
                keys: keys.len(),
            };
            let threshold = usize::try_from(threshold).map_err(|_| out_of_range)?;
            Ok(Requirement::signed_by(keys, threshold))
        }
        Word::Digest => {
            only("digest", &["digests"])?;
            let texts = raw.digests.as_deref().unwrap_or_default();
            let digests = texts
                .iter()
                .map(|text| parse_digest(text))
                .collect::<Result<_, _>>()?;
            Ok(Requirement::Digest { digests })
        }
        Word::AcceptUnsigned => only("accept-unsigned", &[]).map(|()| Requirement::AcceptUnsigned),
        Word::Reject => only("reject", &[]).map(|()| Requirement::Reject),
    }
}

impl FileKey {
    fn read(&self) -> Result<KeyText, RuleError> {
        let time = |time: &Option<FileTime>| time.as_ref().map(|time| time.0);
        let validity = Validity {
            not_before: time(&self.not_before),
            not_after: time(&self.not_after),
        };
        match (validity.not_before, validity.not_after) {
            (Some(from), Some(to)) if from > to => Err(RuleError::Validity),
            _ => Ok(KeyText::new(&self.pem).with_validity(validity)),
        }
    }
}

fn line_at(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().get(..offset).unwrap_or_default();
    before.iter().filter(|byte| **byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests;
