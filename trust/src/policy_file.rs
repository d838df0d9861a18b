//! Policy files: TOML text becomes rules, or an error that says where it is wrong.

use serde::Deserialize;
use toml::Spanned;

use crate::integrity::Integrity;
use crate::name::{NameError, Prefix};
use crate::one_line;
use crate::rule::{KeyText, Requirement, Rule, RuleError, parse_digest};

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
    #[error("no rule in it: only an empty file masks the one of the same name")]
    NoRule,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    rule: Vec<Spanned<FileRule>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileRule {
    prefix: String,
    r#type: Word,
    #[serde(default)]
    integrity: Integrity,
    keys: Option<Vec<String>>,
    threshold: Option<u64>,
    digests: Option<Vec<String>>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
enum Word {
    SignedBy,
    Digest,
    AcceptUnsigned,
    Reject,
}

/// Parses the text of one file. An empty text (or one of blanks alone) holds no rule; any other
/// text must hold at least one, so that a file that was cut in its leading comment is noticed.
pub(crate) fn parse(text: &str) -> Result<Vec<Rule>, FileError> {
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    let file: File = toml::from_str(text).map_err(|error| FileError::Syntax {
        line: error.span().map_or(1, |span| line_at(text, span.start)),
        reason: one_line::plain(error.message()),
    })?;
    if file.rule.is_empty() {
        return Err(FileError::NoRule);
    }
    file.rule
        .into_iter()
        .map(|rule| {
            let line = line_at(text, rule.span().start);
            rule_of(rule.into_inner(), line)
        })
        .collect()
}

fn rule_of(raw: FileRule, line: usize) -> Result<Rule, FileError> {
    let prefix = Prefix::parse(&raw.prefix).map_err(|error| FileError::Prefix { line, error })?;
    let shown = prefix.to_string();
    requirement_of(&raw)
        .and_then(|requirement| Rule::new(prefix, requirement))
        .map(|rule| rule.with_integrity(raw.integrity))
        .map_err(|error| FileError::Rule {
            line,
            prefix: shown,
            error,
        })
}

fn requirement_of(raw: &FileRule) -> Result<Requirement, RuleError> {
    let has = [
        ("keys", raw.keys.is_some()),
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
            only("signed-by", &["keys", "threshold"])?;
            let texts = raw.keys.as_deref().unwrap_or_default();
            let keys: Vec<_> = texts.iter().map(|text| KeyText::new(text)).collect();
            let threshold = raw.threshold.unwrap_or(1);
            let out_of_range = RuleError::Threshold {
                threshold,
                keys: keys.len(),
            };
            let threshold = usize::try_from(threshold).map_err(|_| out_of_range)?;
            Ok(Requirement::SignedBy { keys, threshold })
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

fn line_at(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().get(..offset).unwrap_or_default();
    before.iter().filter(|byte| **byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        let error = parse(text).unwrap_err().to_string();
        assert!(!error.contains('\n'), "{error}");
        error
    }

    #[test]
    fn all_types_are_read() {
        let digest = format!("sha256:{}", "0a".repeat(32));
        let rules = parse(&format!(
            "# who may run\n\
             [[rule]]\nprefix = \"a.io\"\ntype = \"signed-by\"\nkeys = [\" A \", \"B\"]\nthreshold = 2\n\
             [[rule]]\nprefix = \"b.io/x\"\ntype = \"digest\"\ndigests = [\"{digest}\"]\n\
             [[rule]]\nprefix = \"localhost:5000\"\ntype = \"accept-unsigned\"\n\
             [[rule]]\nprefix = \"*\"\ntype = \"reject\"\n"
        ))
        .unwrap();
        let requirements: Vec<_> = rules.iter().map(Rule::requirement).collect();
        let keys = vec![KeyText::new("A"), KeyText::new("B")];
        let digests = vec![Digest::try_from(digest).unwrap()];
        assert_eq!(
            requirements,
            [
                &Requirement::SignedBy { keys, threshold: 2 },
                &Requirement::Digest { digests },
                &Requirement::AcceptUnsigned,
                &Requirement::Reject,
            ]
        );
        let prefixes: Vec<_> = rules.iter().map(|rule| rule.prefix().as_str()).collect();
        assert_eq!(prefixes, ["a.io", "b.io/x", "localhost:5000", "*"]);
    }

    #[test]
    fn empty_files_hold_no_rule_and_comments_alone_are_a_mistake() {
        assert_eq!(parse(""), Ok(Vec::new()));
        assert_eq!(parse(" \n\t\n"), Ok(Vec::new()));
        assert!(refused("# [[rule]]\n").contains("only an empty file masks"));
        assert!(refused("rule = []").contains("only an empty file masks"));
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        let rule = "[[rule]]\nprefix = \"a.io\"\n";
        for (text, part) in [
            ("[[rule]]\nprefix = \"", "line 2: "),
            ("[[rule]]\nprefix = \"a.io\"\ntype", "line 3: "),
            ("[[rules]]\nprefix = \"a.io\"", "unknown field `rules`"),
            ("[rule]\nprefix = \"a.io\"", "line 1: "),
            ("[[rule]]\ntype = \"reject\"", "missing field `prefix`"),
            (rule, "missing field `type`"),
            (
                &format!("{rule}type = \"signed_by\""),
                "line 3: unknown variant `signed_by`",
            ),
            (
                &format!("{rule}type = \"reject\"\nkey = 1"),
                "line 4: unknown field `key`",
            ),
            (&format!("{rule}prefix = \"b.io\""), "line 3: duplicate key"),
            (
                &format!("{rule}type = \"reject\"\nkeys = [\"x\"]"),
                "the type reject has no \"keys\"",
            ),
            (
                &format!("{rule}type = \"accept-unsigned\"\nthreshold = 1"),
                "the type accept-unsigned has no \"threshold\"",
            ),
            (
                &format!("{rule}type = \"digest\"\nthreshold = 1"),
                "has no \"threshold\"",
            ),
            (
                &format!("{rule}type = \"signed-by\"\ndigests = []"),
                "has no \"digests\"",
            ),
            (
                &format!("{rule}type = \"signed-by\""),
                "rule \"a.io\": a signed-by rule needs",
            ),
            (
                &format!("{rule}type = \"signed-by\"\nkeys = []"),
                "needs at least one key",
            ),
            (
                &format!("{rule}type = \"signed-by\"\nkeys = \"x\""),
                "line 4: invalid type",
            ),
            (
                &format!("{rule}type = \"signed-by\"\nkeys = [\"x\"]\nthreshold = 2"),
                "threshold 2",
            ),
            (
                &format!("{rule}type = \"signed-by\"\nkeys = [\"x\"]\nthreshold = 0"),
                "threshold 0",
            ),
            (
                &format!("{rule}type = \"signed-by\"\nkeys = [\"x\"]\nthreshold = -1"),
                "line 5: ",
            ),
            (
                &format!("{rule}type = \"digest\""),
                "a digest rule needs at least one digest",
            ),
            (
                &format!("{rule}type = \"digest\"\ndigests = [\"x\"]"),
                "\"x\" is no digest",
            ),
            (
                "\n\n[[rule]]\nprefix = \"\"\ntype = \"reject\"",
                "line 3: prefix \"\" is not valid",
            ),
            (
                "[[rule]]\nprefix = \"a.io/\"\ntype = \"reject\"",
                "prefix \"a.io/\" is not valid",
            ),
        ] {
            let error = refused(text);
            assert!(error.contains(part), "{text}\n{error}");
        }
    }

    #[test]
    fn hostile_nesting_is_an_error() {
        refused(&"[".repeat(100_000));
        refused(&format!("a = {}", "[".repeat(100_000)));
        refused(&format!("a{} = 1", ".a".repeat(100_000)));
    }

    use oci_spec::image::Digest;
}
