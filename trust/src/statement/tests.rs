use super::*;

const DIGEST: &str = "sha256:4c8b1a8b3ff2e1f4b3f5a5a3d2f9e5c7d1b0a9f8e7d6c5b4a39281706f5e4d3c";

fn repository() -> Repository {
    Repository::parse("registry.example.com/team/app").unwrap()
}

fn digest() -> Digest {
    Digest::parse(DIGEST).unwrap()
}

#[test]
fn signatures_are_written_as_cosign_writes_them_with_the_name_added() {
    let time = Timestamp::parse("2026-11-20T10:00:00Z").unwrap();
    let text =
        String::from_utf8(signature_statement(&repository(), &digest(), Some(time))).unwrap();
    let hex = &DIGEST[7..];
    assert_eq!(
        text,
        format!(
            "{{\"_type\":\"https://in-toto.io/Statement/v1\",\"subject\":[{{\"name\":\"registry.example.com/team/app\",\
             \"digest\":{{\"sha256\":\"{hex}\"}},\"annotations\":{{\"timestamp\":\"2026-11-20T10:00:00Z\"}}}}],\
             \"predicateType\":\"https://sigstore.dev/cosign/sign/v1\",\"predicate\":{{}}}}"
        )
    );
    let read = Statement::parse(text.as_bytes()).unwrap();
    assert_eq!(read.predicate_type(), SIGNATURE_TYPE);
    assert_eq!(read.digests().collect::<Vec<_>>(), [&digest()]);
    let about = read.about(&[digest()]).unwrap();
    assert_eq!(about.name, Some("registry.example.com/team/app"));
    assert_eq!(about.time, Some(&SignedTime::At(time)));
}

#[test]
fn a_statement_may_be_about_several_things() {
    let other = "0b".repeat(32);
    let text = format!(
        r#"{{"_type":"https://in-toto.io/Statement/v0.1","subject":[{{"name":"source","digest":{{"gitCommit":"abc"}},"uri":"git+https://x"}},
            {{"name":"b","digest":{{"sha256":"{other}"}}}},{{"name":"","digest":{{"sha512":"00","sha256":"{}"}}}}],"predicateType":"x:y"}}"#,
        &DIGEST[7..]
    );
    let read = Statement::parse(text.as_bytes()).unwrap();
    assert_eq!(read.digests().count(), 2);
    let about = read.about(&[digest()]).unwrap();
    assert_eq!(
        (about.name, about.digest, about.time),
        (None, &digest(), None)
    );
    assert_eq!(read.about(&[]), None);
    assert_eq!(read.field(["a"].into_iter()), None);
}

#[test]
fn digests_that_are_none_are_refused() {
    let good = String::from_utf8(signature_statement(&repository(), &digest(), None)).unwrap();
    for bad in ["", "00", &DIGEST[7..].to_uppercase(), "../../etc/passwd"] {
        let error = Statement::parse(good.replace(&DIGEST[7..], bad).as_bytes()).unwrap_err();
        assert!(error.to_string().contains("is not a digest"), "{error}");
    }
    for end in 0..good.len() {
        let error = Statement::parse(&good.as_bytes()[..end]).unwrap_err();
        assert!(
            matches!(error, StatementError::Json { .. }),
            "{end}: {error}"
        );
    }
}

#[test]
fn predicates_are_signed_as_they_stand() {
    let make = |kind: &str, predicate: &str| {
        attestation_statement(&repository(), &digest(), None, kind, predicate.as_bytes())
    };
    let text = make("https://x.example/v1", " {\"b\": 1,\n\"a\": 2} \n").unwrap();
    let text = String::from_utf8(text).unwrap();
    assert!(
        text.ends_with("\"predicate\":{\"b\": 1,\n\"a\": 2}}"),
        "{text}"
    );
    assert!(Statement::parse(text.as_bytes()).is_ok());
    for predicate in [
        "",
        "[]",
        "1",
        "null",
        "{",
        "{} {}",
        "{\"a\":1,\"a\":2}",
        "{},\"x\":{}",
    ] {
        let error = make("https://x.example/v1", predicate).unwrap_err();
        let is_refusal = matches!(
            error,
            StatementError::Json { .. } | StatementError::Shape { .. }
        );
        assert!(is_refusal, "{predicate}: {error}");
    }
    for kind in [
        "",
        "vuln",
        "a:\"",
        "a:\\",
        "a:b c",
        "a:\n",
        &"a:".repeat(1000),
    ] {
        let error = make(kind, "{}").unwrap_err().to_string();
        assert!(error.contains("is not a predicate type"), "{error}");
    }
    assert_eq!(
        predicate_type("vuln"),
        Some("https://cosign.sigstore.dev/attestation/vuln/v1")
    );
    assert_eq!(predicate_type("https://x.example/v1"), None);
}

#[test]
fn short_names_stand_for_the_types_that_cosign_makes_of_them() {
    for (name, kind) in [
        ("custom", "https://cosign.sigstore.dev/attestation/v1"),
        ("vuln", "https://cosign.sigstore.dev/attestation/vuln/v1"),
        ("slsaprovenance", "https://slsa.dev/provenance/v0.2"),
        ("slsaprovenance02", "https://slsa.dev/provenance/v0.2"),
        ("slsaprovenance1", "https://slsa.dev/provenance/v1"),
        ("link", "https://in-toto.io/Link/v1"),
        ("spdx", "https://spdx.dev/Document"),
        ("spdxjson", "https://spdx.dev/Document"),
        ("cyclonedx", "https://cyclonedx.org/bom"),
        ("openvex", "https://openvex.dev/ns"),
    ] {
        assert_eq!(predicate_type(name), Some(kind));
    }
    assert_eq!(predicate_type("SPDX"), None);
}

#[test]
fn a_value_is_found_by_names_and_places() {
    let statement = format!(
        r#"{{"_type":"{V1}","subject":[],"predicateType":"a:b",
           "predicate":{{"a":[{{"b":7}},"x"],"c":{{}}}}}}"#
    );
    let statement = Statement::parse(statement.as_bytes()).unwrap();
    let field = |path: &[&'static str]| statement.field(path.iter().copied()).cloned();
    assert_eq!(field(&["a", "0", "b"]), Some(Node::Number(7.into())));
    assert_eq!(field(&["a", "1"]), Some(Node::Text("x".to_owned())));
    for missing in [
        &["a", "2"][..],
        &["a", "-1"],
        &["a", "b"],
        &["c", "d"],
        &["a", "1", "x"],
    ] {
        assert_eq!(field(missing), None, "{missing:?}");
    }
}

#[test]
fn a_predicate_type_is_a_uri_of_plain_characters() {
    let repository = Repository::parse("a.io/x").unwrap();
    let digest = Digest::parse(&format!("sha256:{}", "0".repeat(64))).unwrap();
    let made = |kind: &str, predicate: &[u8]| {
        attestation_statement(&repository, &digest, None, kind, predicate)
    };
    let longest = format!("a:{}", "x".repeat(MAX_TYPE - 2));
    for good in ["a:b", "https://a.io/b?c#d", &longest] {
        let statement = Statement::parse(&made(good, b" {\"a\":1} ").unwrap()).unwrap();
        assert_eq!(statement.predicate_type(), good);
        assert!(statement.field(["a"].into_iter()).is_some());
    }
    for bad in [
        "",
        "ab",
        "a:b c",
        "a:\"",
        "a:\\",
        "a:\n",
        "a:ä",
        &format!("{longest}x"),
    ] {
        let error = made(bad, b"{}").unwrap_err();
        assert!(
            matches!(error, StatementError::PredicateType { .. }),
            "{bad}: {error}"
        );
    }
    let of = |predicate: &[u8]| made("a:b", predicate).unwrap_err();
    assert!(matches!(of(b"[]"), StatementError::Shape { .. }));
    assert!(matches!(
        of(b"{\"a\":1,\"a\":1}"),
        StatementError::Json { .. }
    ));
}
