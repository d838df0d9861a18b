//! Keys and digests added to and removed from the file of one prefix, as `fairing trust add`, `allow` and
//! `rm` do.
//!
//! `trust add` keeps one rule per file, under [`rule_file_name`](crate::rule_file_name). The comment lines that begin
//! a file are kept; the rule below them is written anew.

use image_name::{Digest, Prefix};

use crate::fingerprint::Fingerprint;
use crate::key::PublicKey;
use crate::key_error::KeyError;
use crate::key_text::{KeyText, Validity};
use crate::one_line;
use crate::policy_file;
use crate::rule::{Requirement, Rule, RuleError};

/// Why a file can't be edited. The caller knows which file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EditError {
    /// The file is no valid policy.
    #[error("{reason}")]
    File {
        /// Line and reason.
        reason: String,
    },
    /// The file has several rules, or one of another prefix: someone else's to edit.
    #[error("it holds something other than the rule for {prefix:?}")]
    OtherRules {
        /// The prefix.
        prefix: String,
    },
    /// The rule is of another type than the change is about.
    #[error("its rule for {prefix:?} is of type {word}, not {wanted}")]
    OtherType {
        /// The prefix.
        prefix: String,
        /// The rule's type.
        word: &'static str,
        /// The type that the change is about.
        wanted: &'static str,
    },
    /// A key that is already there can't be read.
    #[error("key {position} is unreadable")]
    Key {
        /// Which key, from 1.
        position: usize,
        /// What is wrong with it.
        source: KeyError,
    },
    /// No key goes by this text.
    #[error("no key {text} is trusted for {prefix:?}")]
    UnknownKey {
        /// What the user typed, quoted.
        text: String,
        /// The prefix.
        prefix: String,
    },
    /// Several keys go by this text.
    #[error("{text} matches {found} keys")]
    Ambiguous {
        /// What the user typed, quoted.
        text: String,
        /// How many keys.
        found: usize,
    },
    /// Too few keys would be left.
    #[error("the rule needs signatures by {threshold} keys, and only {left} would be left")]
    Threshold {
        /// How many keys would be left.
        left: usize,
        /// How many must sign.
        threshold: usize,
    },
    /// The rule would make no sense.
    #[error(transparent)]
    Rule(#[from] RuleError),
}

/// What is left of a file after a key was removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Removal {
    /// The new text of the file; the key that was removed.
    Rule(String, Fingerprint),
    /// It was the last key: the rule ends. The caller removes the file, after saying that a rule
    /// for a shorter prefix may decide from then on.
    Last(Fingerprint),
}

/// Adds a key to the rule of a prefix and gives the new text of its file. Without `existing` (or
/// with an empty one) the rule is new and needs one signature. A key that is there already stays.
///
/// # Errors
/// [`EditError`] for a file that isn't this prefix's alone or isn't about keys.
pub fn add_key(
    existing: Option<&str>,
    prefix: &Prefix,
    key: &PublicKey,
) -> Result<String, EditError> {
    add_keys(
        existing,
        prefix,
        std::slice::from_ref(key),
        Validity::default(),
        None,
    )
}

/// As [`add_key`], for several keys of one validity. With limits, a key that is there already gets
/// them; with a threshold, so many keys must sign from now on.
///
/// # Errors
/// As [`add_key`], and for a threshold that the keys can't meet.
pub fn add_keys(
    existing: Option<&str>,
    prefix: &Prefix,
    keys: &[PublicKey],
    validity: Validity,
    threshold: Option<usize>,
) -> Result<String, EditError> {
    let known = match existing.filter(|text| !text.trim().is_empty()) {
        Some(text) => Some((text, rule_in(text, prefix)?)),
        None => None,
    };
    let mut texts = Vec::new();
    let mut own = Vec::new();
    if let Some((_, (rule, decoded))) = &known {
        texts = rule.key_texts().to_vec();
        own.clone_from(decoded);
    }
    for key in keys {
        let text = KeyText::from(key).with_validity(validity);
        let place = own.iter().position(|known| known == key);
        match place.and_then(|at| texts.get_mut(at)) {
            None => {
                own.push(key.clone());
                texts.push(text);
            }
            Some(known) if !validity.is_unlimited() => *known = text,
            Some(_) => {}
        }
    }
    let Some((text, (rule, _))) = known else {
        let requirement = Requirement::signed_by(texts, threshold.unwrap_or(1));
        return Ok(Rule::new(prefix.clone(), requirement)?.to_toml());
    };
    let threshold = threshold.unwrap_or_else(|| rule.threshold());
    let rule = rule.with_keys_of(texts, threshold)?;
    Ok(format!("{}{}", leading_comment(text), rule.to_toml()))
}

/// Removes the key that goes by `text`, a fingerprint or the first digits of one, from the rule of
/// a prefix.
///
/// # Errors
/// [`EditError`] for an unknown or ambiguous key, and where the threshold would be out of reach.
pub fn remove_key(existing: &str, prefix: &Prefix, text: &str) -> Result<Removal, EditError> {
    let (rule, keys) = rule_in(existing, prefix)?;
    let found: Vec<_> = keys
        .iter()
        .map(PublicKey::fingerprint)
        .filter(|key| key.starts_with(text))
        .collect();
    let fingerprint = match found.as_slice() {
        [one] => *one,
        [] => {
            let (text, prefix) = (one_line::quoted(text), prefix.to_string());
            return Err(EditError::UnknownKey { text, prefix });
        }
        more => {
            return Err(EditError::Ambiguous {
                text: one_line::quoted(text),
                found: more.len(),
            });
        }
    };
    let left: Vec<_> = rule
        .key_texts()
        .iter()
        .zip(&keys)
        .filter(|(_, key)| key.fingerprint() != fingerprint)
        .map(|(text, _)| text.clone())
        .collect();
    if left.is_empty() {
        return Ok(Removal::Last(fingerprint));
    }
    let threshold = rule.threshold();
    if left.len() < threshold {
        return Err(EditError::Threshold {
            left: left.len(),
            threshold,
        });
    }
    let rule = rule.with_keys(left)?;
    let text = format!("{}{}", leading_comment(existing), rule.to_toml());
    Ok(Removal::Rule(text, fingerprint))
}

/// Lists a digest in the rule of a prefix and gives the new text of its file; `None` if it is listed
/// already. Without `existing` (or with an empty one) the rule is new.
///
/// # Errors
/// [`EditError`] for a file that isn't this prefix's alone or isn't about digests.
pub fn add_digest(
    existing: Option<&str>,
    prefix: &Prefix,
    digest: &Digest,
) -> Result<Option<String>, EditError> {
    let Some(text) = existing.filter(|text| !text.trim().is_empty()) else {
        let digests = vec![digest.clone()];
        let rule = Rule::new(prefix.clone(), Requirement::Digest { digests })?;
        return Ok(Some(rule.to_toml()));
    };
    let rule = sole_rule(text, prefix)?;
    let Requirement::Digest { digests } = rule.requirement() else {
        return Err(other_type(&rule, "digest"));
    };
    if digests.contains(digest) {
        return Ok(None);
    }
    let digests = digests.iter().chain([digest]).cloned().collect();
    let more = Rule::new(prefix.clone(), Requirement::Digest { digests })?;
    let more = more.with_integrity(rule.integrity());
    Ok(Some(format!("{}{}", leading_comment(text), more.to_toml())))
}

/// Gives the text of a file whose rule lets every image of a prefix run; `None` if that is what it
/// says already.
///
/// # Errors
/// [`EditError`] for a file that says something else.
pub fn accept_unsigned(
    existing: Option<&str>,
    prefix: &Prefix,
) -> Result<Option<String>, EditError> {
    match existing.filter(|text| !text.trim().is_empty()) {
        None => {
            let rule = Rule::new(prefix.clone(), Requirement::AcceptUnsigned)?;
            Ok(Some(rule.to_toml()))
        }
        Some(text) => {
            let rule = sole_rule(text, prefix)?;
            match rule.requirement() {
                Requirement::AcceptUnsigned => Ok(None),
                _ => Err(other_type(&rule, "accept-unsigned")),
            }
        }
    }
}

/// The rule of a file that holds the signed-by rule of `prefix` and nothing else, and its keys.
fn rule_in(text: &str, prefix: &Prefix) -> Result<(Rule, Vec<PublicKey>), EditError> {
    let rule = sole_rule(text, prefix)?;
    let Requirement::SignedBy { keys, .. } = rule.requirement() else {
        return Err(other_type(&rule, "signed-by"));
    };
    let keys = decode(keys)?;
    Ok((rule, keys))
}

fn other_type(rule: &Rule, wanted: &'static str) -> EditError {
    EditError::OtherType {
        prefix: rule.prefix().to_string(),
        word: rule.requirement().word(),
        wanted,
    }
}

/// The rule of a file that holds that of `prefix` and nothing else: such a file may go with it.
///
/// # Errors
/// [`EditError`] for a file that is no policy, or holds more or something else.
pub fn sole_rule(text: &str, prefix: &Prefix) -> Result<Rule, EditError> {
    let contents = policy_file::parse(text).map_err(|error| EditError::File {
        reason: error.to_string(),
    })?;
    let mut rules = contents.rules.into_iter();
    match (rules.next(), rules.next()) {
        (Some(rule), None) if rule.prefix() == prefix && contents.revoked.is_empty() => Ok(rule),
        _ => Err(EditError::OtherRules {
            prefix: prefix.to_string(),
        }),
    }
}

fn decode(keys: &[KeyText]) -> Result<Vec<PublicKey>, EditError> {
    keys.iter()
        .enumerate()
        .map(|(at, key)| {
            key.decode().map_err(|source| EditError::Key {
                position: at + 1,
                source,
            })
        })
        .collect()
}

/// The comment and empty lines that begin a file.
fn leading_comment(text: &str) -> &str {
    let is_comment = |line: &&str| line.trim().is_empty() || line.trim_start().starts_with('#');
    let end: usize = text
        .split_inclusive('\n')
        .take_while(is_comment)
        .map(str::len)
        .sum();
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> PublicKey {
        PublicKey::from_pem(text).unwrap()
    }

    fn p256() -> PublicKey {
        key(include_str!("../tests/data/p256.pub"))
    }

    fn ed25519() -> PublicKey {
        key(include_str!("../tests/data/ed25519.pub"))
    }

    fn prefix() -> Prefix {
        Prefix::parse("a.io/foo").unwrap()
    }

    fn fingerprints(text: &str) -> Vec<Fingerprint> {
        let (_, keys) = rule_in(text, &prefix()).unwrap();
        keys.iter().map(PublicKey::fingerprint).collect()
    }

    #[test]
    fn keys_come_and_go() {
        let one = add_key(None, &prefix(), &p256()).unwrap();
        assert_eq!(fingerprints(&one), [p256().fingerprint()]);
        assert_eq!(add_key(Some(""), &prefix(), &p256()).unwrap(), one);
        assert_eq!(add_key(Some(&one), &prefix(), &p256()).unwrap(), one);

        let both = add_key(Some(&one), &prefix(), &ed25519()).unwrap();
        assert_eq!(
            fingerprints(&both),
            [p256().fingerprint(), ed25519().fingerprint()]
        );

        let gone = ed25519().fingerprint();
        let removal = remove_key(&both, &prefix(), &gone.to_string()).unwrap();
        assert_eq!(removal, Removal::Rule(one.clone(), gone));
        let last = remove_key(&one, &prefix(), &p256().fingerprint().short()).unwrap();
        assert_eq!(last, Removal::Last(p256().fingerprint()));
    }

    #[test]
    fn keys_come_with_an_end_and_a_threshold() {
        let until = |text| Validity {
            not_before: None,
            not_after: Some(crate::Timestamp::parse(text).unwrap()),
        };
        let keys = [p256(), ed25519()];
        let first = until("2030-01-01T00:00:00Z");
        let text = add_keys(None, &prefix(), &keys, first, Some(2)).unwrap();
        assert!(text.contains("threshold = 2"), "{text}");
        assert_eq!(text.matches("not-after = 2030-01-01").count(), 2, "{text}");
        let later = until("2031-01-01T00:00:00Z");
        let text = add_keys(Some(&text), &prefix(), &[p256()], later, Some(1)).unwrap();
        assert_eq!(fingerprints(&text), keys.map(|key| key.fingerprint()));
        assert!(!text.contains("threshold"), "{text}");
        assert_eq!(text.matches("not-after = 2031-01-01").count(), 1, "{text}");
        assert_eq!(add_key(Some(&text), &prefix(), &p256()).unwrap(), text);
        for (text, threshold) in [(Some(&*text), 3), (None, 2)] {
            let error = add_keys(text, &prefix(), &[p256()], later, Some(threshold));
            let error = error.unwrap_err().to_string();
            assert!(error.contains("threshold"), "{error}");
        }
    }

    #[test]
    fn comments_at_the_top_stay() {
        let top = "# Asked for by the build team.\n\n# Ask them before a change.\n";
        let text = format!("{top}{}", add_key(None, &prefix(), &p256()).unwrap());
        let both = add_key(Some(&text), &prefix(), &ed25519()).unwrap();
        assert!(both.starts_with(&format!("{top}[[rule]]\n")), "{both}");
        let removal = remove_key(&both, &prefix(), &ed25519().fingerprint().to_string()).unwrap();
        assert_eq!(removal, Removal::Rule(text, ed25519().fingerprint()));
    }

    #[test]
    fn thresholds_stay_and_are_kept_in_reach() {
        let rule = Rule::signed_by(prefix(), &[p256(), ed25519()], 2)
            .unwrap()
            .to_toml();
        let error = remove_key(&rule, &prefix(), &p256().fingerprint().to_string()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the rule needs signatures by 2 keys, and only 1 would be left"
        );
        let again = add_key(Some(&rule), &prefix(), &p256()).unwrap();
        assert!(again.contains("threshold = 2"), "{again}");
    }

    #[test]
    fn digests_are_listed_once() {
        let digest = |digit: &str| format!("sha256:{}", digit.repeat(64)).parse().unwrap();
        let add = |text: Option<&str>, digit| add_digest(text, &prefix(), &digest(digit));
        let one = add(None, "1").unwrap().unwrap();
        assert!(one.contains("type = \"digest\""), "{one}");
        assert_eq!(add(Some(""), "1").unwrap().as_ref(), Some(&one));
        assert_eq!(add(Some(&one), "1").unwrap(), None);
        let commented = format!(
            "# mine\n{}",
            one.replace("type =", "integrity = \"full\"\ntype =")
        );
        let both = add(Some(&commented), "2").unwrap().unwrap();
        assert!(
            both.starts_with("# mine\n") && both.contains("integrity = \"full\""),
            "{both}"
        );
        assert_eq!(both.matches("sha256:").count(), 2);
        let keys = add_key(None, &prefix(), &p256()).unwrap();
        assert_eq!(
            add(Some(&keys), "1").unwrap_err().to_string(),
            "its rule for \"a.io/foo\" is of type signed-by, not digest"
        );
    }

    #[test]
    fn a_prefix_is_opened_once_and_never_over_another_rule() {
        let open = accept_unsigned(None, &prefix()).unwrap().unwrap();
        assert!(open.contains("type = \"accept-unsigned\""), "{open}");
        assert_eq!(accept_unsigned(Some(&open), &prefix()).unwrap(), None);
        let keys = add_key(None, &prefix(), &p256()).unwrap();
        let error = accept_unsigned(Some(&keys), &prefix()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "its rule for \"a.io/foo\" is of type signed-by, not accept-unsigned"
        );
    }

    #[test]
    fn files_of_others_are_left_alone() {
        let own = add_key(None, &prefix(), &p256()).unwrap();
        let other = own.replace("a.io/foo", "a.io/bar");
        let reject = "[[rule]]\nprefix = \"a.io/foo\"\ntype = \"reject\"\n";
        for (text, part) in [
            (
                format!("{own}{other}"),
                "holds something other than the rule for \"a.io/foo\"",
            ),
            (
                other,
                "holds something other than the rule for \"a.io/foo\"",
            ),
            (reject.to_owned(), "is of type reject"),
            ("[[rule".to_owned(), "line 1: "),
            ("# nothing\n".to_owned(), "it has no rule"),
            (own.replace("MFkw", "MFkx"), "key 1 is unreadable"),
        ] {
            let error = add_key(Some(&text), &prefix(), &ed25519())
                .unwrap_err()
                .to_string();
            assert!(error.contains(part), "{text}: {error}");
            assert_eq!(
                remove_key(&text, &prefix(), "sha256:")
                    .unwrap_err()
                    .to_string(),
                error
            );
        }
    }

    #[test]
    fn keys_are_named_without_doubt() {
        let text = add_key(None, &prefix(), &p256()).unwrap();
        for name in ["", "sha256:", "6a23a", "000000", "x\n"] {
            let error = remove_key(&text, &prefix(), name).unwrap_err().to_string();
            assert!(error.ends_with("is trusted for \"a.io/foo\"") && !error.contains('\n'));
        }
    }
}
