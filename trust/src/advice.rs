//! Advice: what a user can do about a refusal.

use image_name::{Prefix, Repository};

use crate::flaw::Flaw;
use crate::one_line::path;
use crate::refusal::{Demand, Refusal, RuleId};

impl Refusal {
    /// What would allow the image, a line each: commands that can be copied (with the user's own
    /// key files for `KEY` and `KEY.pub`), or the file to edit where there is no command.
    ///
    /// All lines together are wanted, in this order; none ever says to waive verification.
    pub fn advice(&self) -> Vec<String> {
        match self {
            Self::NoRule {
                reference,
                repository,
                signed,
            } => {
                let mut lines = vec![trust_add(&Prefix::from(repository))];
                if !signed {
                    lines.push(sign(reference));
                }
                lines
            }
            Self::Rejected {
                reference,
                repository,
                rule,
            } => rejected(reference, repository, rule),
            Self::Unsigned { demand } | Self::NotEnough { demand, .. } => {
                vec![sign(&demand.reference)]
            }
            // Whose signature to trust is the user's to decide: either is enough.
            Self::WrongKey { demand, .. } => {
                vec![
                    sign(&demand.reference),
                    format!("or {}", trust_add(&prefix_to_add(demand))),
                ]
            }
            Self::WrongSignature { demand, flaw, .. } => wrong_signature(demand, flaw),
            Self::RolledBack { demand, .. } => vec![
                format!(
                    "fairing fetch {} (what its registry has now)",
                    shell_word(&demand.reference)
                ),
                format!(
                    "or, to go back on purpose, sign it again: {}",
                    sign(&demand.reference)
                ),
            ],
            Self::NotAttested {
                demand,
                predicate_type,
                ..
            } => vec![format!(
                "fairing image sign --key KEY --attest FILE --type {} {}",
                shell_word(predicate_type),
                shell_word(&demand.reference)
            )],
            Self::Unsupported { rule, .. } => vec![format!(
                "change {:?} in {}",
                rule.prefix().as_str(),
                path(rule.file())
            )],
            Self::DigestNotListed { manifest, rule, .. } => {
                vec![format!(
                    "add \"{manifest}\" to the digests in {}",
                    path(rule.file())
                )]
            }
            Self::BrokenKey { rule, position, .. } => vec![format!(
                "replace or remove key {position} of rule {:?} in {}",
                rule.prefix().as_str(),
                path(rule.file())
            )],
            Self::BrokenChain { reference, .. } => {
                vec![format!("fairing fetch {}", shell_word(reference))]
            }
        }
    }
}

fn wrong_signature(demand: &Demand, flaw: &Flaw) -> Vec<String> {
    match flaw {
        // The same key would not do: another one must sign, and be trusted if it isn't yet.
        Flaw::Unfit(_) => vec![
            sign(&demand.reference),
            format!("if that key is new: {}", trust_add(&prefix_to_add(demand))),
        ],
        Flaw::Future { .. } => vec![
            "date (is this machine's clock right?)".to_owned(),
            format!("else {}", sign(&demand.reference)),
        ],
        _ => vec![sign(&demand.reference)],
    }
}

fn rejected(reference: &str, repository: &Repository, rule: &RuleId) -> Vec<String> {
    let own = Prefix::from(repository);
    if *rule.prefix() == own {
        return vec![format!(
            "remove or change rule {:?} in {}",
            own.as_str(),
            path(rule.file())
        )];
    }
    vec![trust_add(&own), sign(reference)]
}

/// Where a key is best added: to the rule itself, but not to one for all images.
fn prefix_to_add(demand: &Demand) -> Prefix {
    if demand.rule.prefix().is_everything() {
        Prefix::from(&demand.repository)
    } else {
        demand.rule.prefix().clone()
    }
}

fn trust_add(prefix: &Prefix) -> String {
    format!(
        "fairing trust add --prefix {} KEY.pub",
        shell_word(prefix.as_str())
    )
}

fn sign(reference: &str) -> String {
    format!("fairing image sign --key KEY {}", shell_word(reference))
}

/// Quotes a word for a shell unless it is plain.
fn shell_word(word: &str) -> String {
    let plain = |byte: u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'/' | b':' | b'@')
    };
    if !word.is_empty() && word.bytes().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", crate::one_line::plain(word).replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_safe_to_paste() {
        assert_eq!(
            shell_word("a.io:5000/x-y_z:1@sha256:00"),
            "a.io:5000/x-y_z:1@sha256:00"
        );
        assert_eq!(shell_word("[::1]/x"), "'[::1]/x'");
        assert_eq!(
            shell_word("x; rm -rf '$HOME'\n"),
            r"'x; rm -rf '\''$HOME'\''\n'"
        );
        assert_eq!(shell_word(""), "''");
    }
}
