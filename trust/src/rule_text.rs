//! Rules rendered as the text of a policy file.

use crate::attestation_file;
use crate::key_text::{KeyText, Validity};
use crate::rule::{Requirement, Rule};
use crate::toml_string::basic_string;

impl Rule {
    /// The rule as TOML text that [`Policy::parse`](crate::Policy::parse) reads back to an equal
    /// rule.
    ///
    /// What a rule may leave out comes before its type, and the list of keys or digests last, so that a file torn at any byte is either whole or
    /// no valid rule: it can't lose its threshold and still parse.
    pub fn to_toml(&self) -> String {
        let mut text = String::from("[[rule]]\n");
        let mut line = |parts: &[&str]| push_line(&mut text, parts);
        line(&["prefix = ", &basic_string(self.prefix().as_str())]);
        if !self.integrity().is_default() {
            line(&["integrity = ", &basic_string(self.integrity().word())]);
        }
        if self.is_monotonic() {
            line(&["monotonic = true"]);
        }
        if !self.kubernetes_namespaces().is_empty() {
            let names = self.kubernetes_namespaces().iter();
            let names: Vec<_> = names.map(|name| basic_string(name)).collect();
            line(&["kubernetes-namespaces = [", &names.join(", "), "]"]);
        }
        if !self.attestations().is_empty() {
            line(&["attestation = ["]);
            for demand in self.attestations() {
                line(&["    ", &attestation_file::render(demand), ","]);
            }
            line(&["]"]);
        }
        line(&["type = ", &basic_string(self.requirement().word())]);
        match self.requirement() {
            Requirement::SignedBy {
                keys, threshold, ..
            } => {
                if *threshold != 1 {
                    line(&["threshold = ", &threshold.to_string()]);
                }
                // In one list, whatever it is: a file torn between two could be a rule of fewer keys.
                let limited = keys.iter().any(|key| !key.validity().is_unlimited());
                line(&[if limited { "key = [" } else { "keys = [" }]);
                for key in keys {
                    push_key(&mut text, key, limited);
                }
                push_line(&mut text, &["]"]);
            }
            Requirement::Digest { digests } => {
                line(&["digests = ["]);
                for digest in digests {
                    line(&["    ", &basic_string(digest.as_ref()), ","]);
                }
                line(&["]"]);
            }
            Requirement::AcceptUnsigned
            | Requirement::Reject
            | Requirement::All(_)
            | Requirement::Unsupported(_) => {}
        }
        text
    }
}

/// A key that decodes is written canonically, over several lines and below its fingerprint; one
/// that doesn't is kept as it is.
fn push_key(text: &mut String, key: &KeyText, limited: bool) {
    let (open, mut close) = if limited {
        ("{ pem = ", String::new())
    } else {
        ("", String::new())
    };
    if limited {
        let Validity {
            not_before,
            not_after,
        } = key.validity();
        for (name, time) in [("not-before", not_before), ("not-after", not_after)] {
            if let Some(time) = time {
                close.push_str(&format!(", {name} = {time}"));
            }
        }
        close.push_str(" }");
    }
    match key.decode() {
        Ok(key) => {
            let fingerprint = key.fingerprint().to_string();
            push_line(
                text,
                &["    # ", &fingerprint, " ", &key.algorithm().to_string()],
            );
            // PEM is made of base64, dashes, capitals and blanks: nothing to escape.
            push_line(
                text,
                &["    ", open, "'''\n", &key.to_pem(), "'''", &close, ","],
            );
        }
        Err(_) => push_line(
            text,
            &["    ", open, &basic_string(key.as_str()), &close, ","],
        ),
    }
}

fn push_line(text: &mut String, parts: &[&str]) {
    parts.iter().for_each(|part| text.push_str(part));
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PublicKey;
    use crate::digest::parse_digest;
    use crate::policy_file;
    use crate::{AttestationDemand, Condition, Field, Integrity, Scalar, Since, Test, Timestamp};
    use image_name::Prefix;

    fn prefix(text: &str) -> Prefix {
        Prefix::parse(text).unwrap()
    }

    fn rules() -> Vec<Rule> {
        let key = |text| PublicKey::from_pem(text).unwrap();
        let p256 = key(include_str!("../tests/data/p256.pub"));
        let ed = key(include_str!("../tests/data/ed25519.pub"));
        let time = |text| Some(Timestamp::parse(text).unwrap());
        let limited = vec![
            KeyText::from(&p256).with_validity(Validity {
                not_before: time("2026-01-01T00:00:00Z"),
                not_after: time("2026-12-31T00:00:00Z"),
            }),
            KeyText::from(&ed),
            KeyText::new("none '''"),
        ];
        let condition = |field: &str, test| Condition {
            field: Field::parse(field).unwrap(),
            test,
        };
        let attestations = vec![
            AttestationDemand {
                predicate_type: "https://slsa.dev/provenance/v1".to_owned(),
                keys: vec![KeyText::from(&ed), KeyText::new("\"")],
                conditions: vec![
                    condition(
                        "predicate.a",
                        Test::Equals(Scalar::Text("x\"\n".to_owned())),
                    ),
                    condition(
                        "/predicate/b.c",
                        Test::OneOf(vec![Scalar::Bool(true), Scalar::Number((-1).into())]),
                    ),
                    condition("predicate.d", Test::Present(false)),
                    condition(
                        "predicate.e",
                        Test::AtMost(serde_json::Number::from_f64(6.5).unwrap()),
                    ),
                    condition("predicate.f", Test::NewerThan(Since::Age(7 * 24 * 60 * 60))),
                    condition(
                        "predicate.g",
                        Test::NewerThan(Since::parse("2026-01-01T00:00:00Z").unwrap()),
                    ),
                ],
            },
            AttestationDemand {
                predicate_type: "https://spdx.dev/Document".to_owned(),
                keys: Vec::new(),
                conditions: Vec::new(),
            },
        ];
        let digests = vec![parse_digest(&format!("sha256:{}", "0a".repeat(32))).unwrap()];
        let odd = vec![KeyText::new("no \"key\\ \u{1}\u{7f}\n\r\tat all '''")];
        [
            Rule::signed_by(prefix("a.io/foo"), std::slice::from_ref(&p256), 1),
            Rule::signed_by(prefix("a.io:5000"), &[p256.clone(), ed.clone()], 2),
            Rule::new(prefix("a.io/odd"), Requirement::signed_by(odd, 1)),
            Rule::new(prefix("[::1]:5000/x"), Requirement::Digest { digests }),
            Rule::new(prefix("*"), Requirement::Reject),
            Rule::new(prefix("localhost"), Requirement::AcceptUnsigned),
            Rule::new(prefix("c.io"), Requirement::signed_by(limited, 1))
                .and_then(|rule| rule.with_monotonic(true))
                .and_then(|rule| rule.with_attestations(attestations)),
            Rule::new(prefix("b.io"), Requirement::AcceptUnsigned)
                .map(|rule| rule.with_integrity(Integrity::Full)),
            Rule::new(prefix("d.io"), Requirement::AcceptUnsigned).and_then(|rule| {
                rule.with_kubernetes_namespaces(vec!["dev".to_owned(), "kube-system".to_owned()])
            }),
        ]
        .into_iter()
        .collect::<Result<_, _>>()
        .unwrap()
    }

    #[test]
    fn rules_are_read_back_equal() {
        for rule in rules() {
            let text = rule.to_toml();
            assert_eq!(policy_file::parse(&text).unwrap().rules, [rule], "{text}");
        }
    }

    #[test]
    fn written_for_people() {
        let rules = rules();
        let key = include_str!("../tests/data/p256.pub");
        let fingerprint = PublicKey::from_pem(key).unwrap().fingerprint();
        assert_eq!(
            rules[0].to_toml(),
            format!(
                "[[rule]]\nprefix = \"a.io/foo\"\ntype = \"signed-by\"\nkeys = [\n    \
                 # {fingerprint} ecdsa-p256\n    '''\n{key}''',\n]\n"
            )
        );
        assert_eq!(
            rules[4].to_toml(),
            "[[rule]]\nprefix = \"*\"\ntype = \"reject\"\n"
        );
    }

    #[test]
    fn a_torn_file_is_never_a_weaker_rule() {
        for rule in rules() {
            let text = rule.to_toml();
            for end in 1..text.len() {
                match policy_file::parse(&text[..end]) {
                    Ok(file) => assert_eq!(file.rules, std::slice::from_ref(&rule), "cut at {end}"),
                    Err(error) => assert!(!error.to_string().contains('\n'), "{error}"),
                }
            }
        }
    }
}
