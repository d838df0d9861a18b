//! Attestations that a rule demands.

use super::*;

const PROVENANCE: &str = "https://slsa.dev/provenance/v1";
const PREDICATE: &str = r#"{"runDetails":{"builder":{"id":"https://ci.example.com","v.2":true}},
    "scan":{"critical":0,"score":6.5,"list":["a","b"],"none":null,"finishedOn":"2026-12-30T00:00:00Z"}}"#;

fn attest(key: &PrivateKey, signed: &str, kind: &str, predicate: &str) -> Vec<u8> {
    let repository = Repository::parse("b.io/some/other").unwrap();
    let predicate = predicate.as_bytes();
    let statement =
        attestation_statement(&repository, &digest(signed), None, kind, predicate).unwrap();
    key.sign_statement(&statement)
}

/// A rule for `a.io` by one key, with an attestation.
fn demanding(key: &PrivateKey, attestation: &str) -> Policy {
    policy_of(&format!(
        "{}[[rule.attestation]]\ntype = \"{PROVENANCE}\"\n{attestation}\n",
        signed_by("a.io", &[key], 1)
    ))
}

fn condition(text: &str) -> String {
    format!("[[rule.attestation.condition]]\n{text}\n")
}

fn judge(policy: &Policy, key: &PrivateKey, bundles: &[Vec<u8>]) -> Result<VerifiedImage, Refusal> {
    let simple = [sign(key, NAME, MANIFEST)];
    judge_all(policy, NAME, &simple, bundles, &at(None))
}

#[test]
fn an_attestation_is_wanted_beside_the_signature() {
    let key = key();
    let policy = demanding(&key, "");
    let good = attest(&key, INDEX, PROVENANCE, PREDICATE);
    let image = judge(&policy, &key, std::slice::from_ref(&good)).unwrap();
    let fingerprint = key.public().fingerprint();
    let attested = crate::Attested {
        predicate_type: PROVENANCE.to_owned(),
        key: fingerprint,
    };
    assert_eq!(image.verification().attested, [attested]);
    let missing = judge(&policy, &key, &[]).unwrap_err();
    assert_eq!(
        missing.to_string(),
        format!(
            "image a.io/foo:1@{INDEX} lacks an attestation: rule \"a.io\" of /etc/t/a.toml:1 requires {PROVENANCE} by key \
             {fingerprint}"
        )
    );
    // An attestation is no signature.
    let unsigned = judge_bundles(&policy, &[good]).unwrap_err();
    assert!(
        unsigned.to_string().contains("not a signature"),
        "{unsigned}"
    );
}

#[test]
fn attestations_that_do_not_count() {
    let (key, other) = (key(), key());
    let policy = demanding(&key, "");
    for (bundle, part) in [
        (
            attest(&other, MANIFEST, PROVENANCE, PREDICATE),
            "lacks an attestation",
        ),
        (
            attest(&key, OTHER, PROVENANCE, PREDICATE),
            "does not count, it is for another image",
        ),
        (
            attest(&key, MANIFEST, "https://spdx.dev/Document", PREDICATE),
            "it is a statement of type \"https://spdx.dev/Document\", not https://slsa.dev",
        ),
    ] {
        let refusal = judge(&policy, &key, &[bundle]).unwrap_err();
        assert!(matches!(refusal, Refusal::NotAttested { .. }));
        assert!(refusal.to_string().contains(part), "{refusal}");
    }
}

#[test]
fn an_attestation_may_have_keys_of_its_own() {
    let (key, scanner) = (key(), key());
    let keys = format!("keys = ['''{}''']", scanner.public().to_pem());
    let policy = demanding(&key, &keys);
    let by = |key: &PrivateKey| [attest(key, MANIFEST, PROVENANCE, PREDICATE)];
    let image = judge(&policy, &key, &by(&scanner)).unwrap();
    assert_eq!(
        image.verification().attested[0].key,
        scanner.public().fingerprint()
    );
    expect_refusal(judge(&policy, &key, &by(&key)), "lacks an attestation");
    // A scanner's key signs no image.
    let signed = judge_all(
        &policy,
        NAME,
        &[sign(&scanner, NAME, MANIFEST)],
        &by(&scanner),
        &at(None),
    );
    assert!(matches!(signed, Err(Refusal::WrongKey { .. })));
    // A revoked scanner's findings are nothing.
    let revoked = format!(
        "{}[[rule.attestation]]\ntype = \"{PROVENANCE}\"\n{keys}\n[[revoked]]\nfingerprint = \"{}\"\n",
        signed_by("a.io", &[&key], 1),
        scanner.public().fingerprint()
    );
    let refusal = judge(&policy_of(&revoked), &key, &by(&scanner)).unwrap_err();
    assert!(refusal.to_string().contains("is revoked"), "{refusal}");
}

#[test]
fn conditions_are_met_or_not() {
    let key = key();
    let id = "field = \"predicate.runDetails.builder.id\"";
    let scan = |name: &str| format!("field = \"predicate.scan.{name}\"");
    let bundles = [attest(&key, MANIFEST, PROVENANCE, PREDICATE)];
    let met = |text: String| judge(&demanding(&key, &condition(&text)), &key, &bundles);
    for good in [
        format!("{id}\nequals = \"https://ci.example.com\""),
        format!("{id}\none-of = [1, \"https://ci.example.com\"]"),
        format!("{id}\npresent = true"),
        "field = \"/predicate/runDetails/builder/v.2\"\nequals = true".to_owned(),
        format!("{}\nequals = 0", scan("critical")),
        format!("{}\nequals = 0.0", scan("critical")),
        format!("{}\nat-most = 0", scan("critical")),
        format!("{}\nat-most = 6.5", scan("score")),
        format!("{}\nequals = \"b\"", scan("list.1")),
        format!("{}\npresent = false", scan("none")),
        format!("{}\npresent = false", scan("list.2")),
        format!("{}\nnewer-than = \"3d\"", scan("finishedOn")),
        format!("{}\nnewer-than = 2026-12-29T00:00:00Z", scan("finishedOn")),
    ] {
        assert!(met(good.clone()).is_ok(), "{good}");
    }
    for (bad, part) in [
        (
            format!("{id}\nequals = \"x\""),
            "builder.id is \"https://ci.example.com\", and the rule requires that",
        ),
        (
            format!("{id}\none-of = [\"x\", true]"),
            "is one of \"x\", true",
        ),
        (format!("{id}\npresent = false"), "is absent"),
        (format!("{id}\nat-most = 1"), "is at most 1"),
        (format!("{id}\nnewer-than = \"1d\""), "is newer than 1d"),
        (
            format!("{}\nequals = \"0\"", scan("critical")),
            "its predicate.scan.critical is 0",
        ),
        (format!("{}\nequals = false", scan("critical")), "is false"),
        (
            format!("{}\nat-most = -1", scan("critical")),
            "is at most -1",
        ),
        (
            format!("{}\nat-most = 6", scan("score")),
            "its predicate.scan.score is 6.5",
        ),
        (
            format!("{}\nat-most = 1", scan("missing")),
            "it has no predicate.scan.missing",
        ),
        (
            format!("{}\npresent = true", scan("none")),
            "it has no predicate.scan.none",
        ),
        (format!("{}\nequals = \"a\"", scan("list")), "is a list"),
        (
            format!("{}\nnewer-than = \"2d\"", scan("finishedOn")),
            "is newer than 2d",
        ),
        (
            format!(
                "{}\nnewer-than = \"2026-12-30T00:00:00Z\"",
                scan("finishedOn")
            ),
            "is newer than 2026",
        ),
    ] {
        let refusal = met(bad.clone()).unwrap_err();
        assert!(matches!(refusal, Refusal::NotAttested { .. }));
        assert!(refusal.to_string().contains(part), "{bad}: {refusal}");
    }
    // All conditions, and on one statement: two halves make no whole.
    let two = condition("field = \"predicate.a\"\nequals = 1")
        + &condition("field = \"predicate.b\"\nequals = 1");
    let half = |text: &str| attest(&key, MANIFEST, PROVENANCE, text);
    let policy = demanding(&key, &two);
    let halves = [half("{\"a\":1}"), half("{\"b\":1}")];
    expect_refusal(judge(&policy, &key, &halves), "it has no predicate.b");
    assert!(
        judge(
            &policy,
            &key,
            &[half("{\"a\":1}"), half("{\"a\":1,\"b\":1}")]
        )
        .is_ok()
    );
}

#[test]
fn a_scan_from_the_future_is_not_new() {
    let key = key();
    let text = condition("field = \"predicate.at\"\nnewer-than = \"1d\"");
    let policy = demanding(&key, &text);
    let scanned = |when: &str| {
        let predicate = format!("{{\"at\":\"{when}\"}}");
        judge(
            &policy,
            &key,
            &[attest(&key, MANIFEST, PROVENANCE, &predicate)],
        )
    };
    assert!(scanned("2027-01-01T00:04:00Z").is_ok());
    for future in ["2027-01-01T00:06:00Z", "9999-01-01T00:06:00Z"] {
        expect_refusal(
            scanned(future),
            &format!("its predicate.at is \"{future}\""),
        );
    }
}

#[test]
fn a_list_of_all_parts_of_an_image_is_not_too_large() {
    let key = key();
    let policy = demanding(&key, "");
    let part = r#"{"name":"part","versionInfo":"1.0","licenses":["MIT","Apache-2.0"]},"#;
    let parts = part.repeat(45_000);
    let predicate = format!("{{\"packages\":[{}]}}", parts.trim_end_matches(','));
    assert!(predicate.len() > 3_000_000);
    let bundle = attest(&key, INDEX, PROVENANCE, &predicate);
    assert!(judge(&policy, &key, &[bundle]).is_ok());
}
