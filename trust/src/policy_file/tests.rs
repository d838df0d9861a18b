use image_name::Digest;
use proptest::prelude::*;

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
    .unwrap()
    .rules;
    let requirements: Vec<_> = rules.iter().map(Rule::requirement).collect();
    let keys = vec![KeyText::new("A"), KeyText::new("B")];
    let digests = vec![Digest::parse(&digest).unwrap()];
    assert_eq!(
        requirements,
        [
            &Requirement::signed_by(keys, 2),
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
    assert_eq!(parse(""), Ok(Contents::default()));
    assert_eq!(parse(" \n\t\n"), Ok(Contents::default()));
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
            "line 3: type: unknown variant `signed_by`",
        ),
        (
            &format!("{rule}type = \"reject\"\nkeyz = 1"),
            "line 4: unknown field `keyz`",
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
            "line 4: keys: invalid type",
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
            "\"x\" is not a digest",
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

const KEYED: &str = "[[rule]]\nprefix = \"a.io\"\ntype = \"signed-by\"\nkeys = [\"x\"]\n";

#[test]
fn keys_times_attestations_and_revocations_are_read() {
    let fingerprint = format!("sha256:{}", "0a".repeat(32));
    let file = parse(&format!(
        "{KEYED}monotonic = true\nintegrity = \"full\"\n\
         [[rule.key]]\npem = \" Y \"\nnot-before = 2026-01-01T00:00:00Z\nnot-after = \"2026-12-31T00:00:00+01:00\"\n\
         [[rule.attestation]]\ntype = \"vuln\"\nkeys = [\"z\"]\n\
         [[rule.attestation.condition]]\nfield = \"predicate.a\"\nat-most = 1\n\
         [[revoked]]\nfingerprint = \"{fingerprint}\"\n\
         [[revoked]]\nfingerprint = \"{fingerprint}\"\nsince = 2026-01-01T00:00:00Z\n"
    ))
    .unwrap();
    let [rule] = file.rules.as_slice() else {
        panic!("{file:?}");
    };
    let time = |text| Some(Timestamp::parse(text).unwrap());
    assert!(rule.is_monotonic() && rule.integrity() == Integrity::Full);
    let [first, second] = rule.key_texts() else {
        panic!("{rule:?}");
    };
    assert!(first.as_str() == "x" && first.validity().is_unlimited());
    assert_eq!(second.as_str(), "Y");
    assert_eq!(second.validity().not_before, time("2026-01-01T00:00:00Z"));
    assert_eq!(second.validity().not_after, time("2026-12-30T23:00:00Z"));
    let [demand] = rule.attestations() else {
        panic!("{rule:?}");
    };
    assert_eq!(
        demand.predicate_type,
        "https://cosign.sigstore.dev/attestation/vuln/v1"
    );
    assert_eq!(demand.conditions[0].to_string(), "predicate.a is at most 1");
    let since: Vec<_> = file.revoked.iter().map(|revoked| revoked.since).collect();
    assert_eq!(since, [None, time("2026-01-01T00:00:00Z")]);
    for revoked in &file.revoked {
        let again = parse(&revoked.to_toml()).unwrap();
        assert!(again.revoked == [*revoked] && again.rules.is_empty());
    }
}

#[test]
fn mistakes_in_the_newer_parts_are_named() {
    let attestation = |text: &str| format!("{KEYED}[[rule.attestation]]\n{text}\n");
    let condition = |text: &str| {
        attestation(&format!(
            "type = \"vuln\"\n[[rule.attestation.condition]]\n{text}"
        ))
    };
    let field = "field = \"predicate.a\"";
    for (text, part) in [
        (format!("{KEYED}monotonic = 1"), "line 5: "),
        (format!("{KEYED}integrity = \"most\""), "line 5: integrity: unknown variant `most`"),
        (KEYED.replace("keys", "key"), "line 4: "),
        (format!("{KEYED}[[rule.key]]\nnot-after = 2026-01-01T00:00:00Z"), "missing field `pem`"),
        (format!("{KEYED}[[rule.key]]\npem = \"x\"\nnot-after = 2026-01-01"), "is not a time"),
        (format!("{KEYED}[[rule.key]]\npem = \"x\"\nnot-after = 5"), "integer is not a time"),
        (
            format!("{KEYED}[[rule.key]]\npem = \"x\"\nnot-after = 2026-01-01T00:00:00Z\nnot-before = 2026-01-01T00:00:01Z"),
            "not-before is after its not-after",
        ),
        (attestation(""), "missing field `type`"),
        (attestation("type = \"x\""), "attestation \"x\": its type is not a URI"),
        (
            attestation("type = \"https://sigstore.dev/cosign/sign/v1\""),
            "that is the type of signatures",
        ),
        (condition(field), "needs one of equals"),
        (condition(&format!("{field}\nequals = 1\npresent = true")), "needs one of equals"),
        (condition("field = \"a\"\nequals = 1"), "does not begin with"),
        (condition(&format!("{field}\none-of = []")), "one-of lists nothing"),
        (condition(&format!("{field}\nequals = []")), "only strings, numbers and booleans"),
        (condition(&format!("{field}\nequals = nan")), "not a finite number"),
        (condition(&format!("{field}\nat-most = \"1\"")), "at-most needs a number"),
        (condition(&format!("{field}\nnewer-than = \"soon\"")), "neither an age"),
        (condition(&format!("{field}\nnewer-than = 7")), "newer-than needs an age"),
        (condition(&format!("{field}\nmatches = 7")), "unknown field `matches`"),
        ("[[revoked]]\nfingerprint = \"x\"".to_owned(), "is not a fingerprint"),
        ("[[revoked]]".to_owned(), "missing field `fingerprint`"),
        ("[[rule]]\nprefix = \"*\"\ntype = \"reject\"\nmonotonic = true".to_owned(), "has no \"monotonic\""),
        (
            "[[rule]]\nprefix = \"*\"\ntype = \"accept-unsigned\"\n[[rule.attestation]]\ntype = \"vuln\"".to_owned(),
            "has no \"attestation\"",
        ),
    ] {
        let error = refused(&text);
        assert!(error.contains(part), "{text}\n{error}");
    }
}

fn requirements() -> impl Strategy<Value = Requirement> {
    let keys = proptest::collection::vec("[ -~\n\t]{1,20}", 1..4);
    let signed = keys.prop_flat_map(|keys| {
        let keys: Vec<_> = keys.iter().map(|key| KeyText::new(key)).collect();
        (1..=keys.len()).prop_map(move |threshold| Requirement::signed_by(keys.clone(), threshold))
    });
    let digest = "[0-9a-f]{64}".prop_map(|hex| Digest::parse(&format!("sha256:{hex}")).unwrap());
    let digests = proptest::collection::vec(digest, 1..3);
    prop_oneof![
        signed,
        digests.prop_map(|digests| Requirement::Digest { digests }),
        Just(Requirement::AcceptUnsigned),
        Just(Requirement::Reject),
    ]
}

proptest! {
    #[test]
    fn a_rule_that_is_written_is_read_again(
        prefix in "[a-z][a-z0-9]{0,8}[.]io(/[a-z0-9]{1,6}){0,2}",
        requirement in requirements(),
    ) {
        let rule = Rule::new(Prefix::parse(&prefix).unwrap(), requirement).unwrap();
        let read = parse(&rule.to_toml()).unwrap().rules;
        prop_assert_eq!(read, [rule]);
    }

    #[test]
    fn no_text_is_an_error_of_more_than_one_line(text in "[ -~\n]{0,80}") {
        if let Err(error) = parse(&text) {
            prop_assert!(!error.to_string().contains('\n'), "{}", error);
        }
    }
}

#[test]
fn a_key_may_count_for_one_second_alone() {
    let second = Some(Timestamp::parse("2026-01-01T00:00:00Z").unwrap());
    let of = |not_after: &str| {
        let not_after = FileTime(Timestamp::parse(not_after).unwrap());
        let key = FileKey {
            pem: "x".to_owned(),
            not_before: second.map(FileTime),
            not_after: Some(not_after),
        };
        key.read()
    };
    let validity = of("2026-01-01T00:00:00Z").unwrap().validity();
    assert_eq!((validity.not_before, validity.not_after), (second, second));
    assert_eq!(of("2025-12-31T23:59:59Z"), Err(RuleError::Validity));
}
