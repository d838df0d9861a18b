//! Keys that expire, are not yet in force, or are revoked.

use super::*;

/// A rule for `a.io` with one key and what limits it.
fn limited(key: &PrivateKey, limits: &str) -> String {
    let pem = key.public().to_pem();
    format!(
        "[[rule]]\nprefix = \"a.io\"\ntype = \"signed-by\"\n\
         [[rule.key]]\npem = '''{pem}'''\n{limits}\n"
    )
}

fn revoked(key: &PrivateKey, since: &str) -> String {
    let fingerprint = key.public().fingerprint();
    format!("[[revoked]]\nfingerprint = \"{fingerprint}\"\n{since}\n")
}

fn judge_at(policy: &Policy, key: &PrivateKey, now: &str) -> Result<VerifiedImage, Refusal> {
    let at = Circumstances {
        now: time(now),
        newest_seen: None,
    };
    let simple = judge_all(policy, NAME, &[sign(key, NAME, MANIFEST)], &[], &at);
    let bundle = judge_all(policy, NAME, &[], &[bundle(key, NAME, MANIFEST)], &at);
    assert_eq!(simple, bundle);
    simple
}

#[test]
fn a_key_counts_from_its_first_to_its_last_second() {
    let key = key();
    let limits = "not-before = 2026-01-01T00:00:00Z\nnot-after = \"2026-12-31T23:59:59Z\"";
    let policy = policy_of(&limited(&key, limits));
    for now in ["2026-01-01T00:00:00Z", "2026-12-31T23:59:59Z"] {
        assert!(judge_at(&policy, &key, now).is_ok(), "{now}");
    }
    for (now, part) in [
        (
            "2025-12-31T23:59:59Z",
            "the key is not valid before 2026-01-01T00:00:00Z",
        ),
        (
            "2027-01-01T00:00:00Z",
            "the key expired on 2026-12-31T23:59:59Z",
        ),
    ] {
        let refusal = judge_at(&policy, &key, now).unwrap_err();
        assert!(refusal.to_string().contains(part), "{refusal}");
    }
}

#[test]
fn a_revoked_key_counts_in_no_rule_whatever_file_says_so() {
    let (bad, good) = (key(), key());
    let fingerprint = bad.public().fingerprint();
    let rules = signed_by("a.io/foo", &[&bad, &good], 1) + &signed_by("*", &[&bad], 1);
    let source = |path: &str, text: String| PolicySource {
        path: path.into(),
        text,
    };
    let system = [source("/usr/t/all.toml", rules)];
    let before = Policy::parse(&system, &[]).unwrap();
    assert!(judge_at(&before, &bad, "2027-01-01T00:00:00Z").is_ok());
    let local = [source("/etc/t/revoked.toml", revoked(&bad, ""))];
    let after = Policy::parse(&system, &local).unwrap();
    let refusal = judge_at(&after, &bad, "2027-01-01T00:00:00Z").unwrap_err();
    assert!(
        refusal.to_string().contains(&format!(
            "a signature by key {fingerprint} does not count, the key is revoked by /etc/t/revoked.toml"
        )),
        "{refusal}"
    );
    assert!(judge_at(&after, &good, "2027-01-01T00:00:00Z").is_ok());
    let other = judge(&after, "b.io/x", &[sign(&bad, "b.io/x", MANIFEST)]);
    expect_refusal(other, "is revoked");
    // A revoked key doesn't count towards a threshold, and a good one isn't held up by it.
    let both = [sign(&bad, NAME, MANIFEST), sign(&good, NAME, MANIFEST)];
    let image = judge(&after, NAME, &both).unwrap();
    assert_eq!(image.verification().keys, [good.public().fingerprint()]);
}

#[test]
fn a_revocation_may_begin_later_and_then_is_for_good() {
    let key = key();
    let text = signed_by("a.io", &[&key], 1) + &revoked(&key, "since = 2026-06-01T00:00:00Z");
    let policy = policy_of(&text);
    assert!(judge_at(&policy, &key, "2026-05-31T23:59:59Z").is_ok());
    expect_refusal(
        judge_at(&policy, &key, "2026-06-01T00:00:00Z"),
        "is revoked",
    );
    // What a signature says of its own time is nothing.
    let old = signature_statement(
        &Repository::parse(NAME).unwrap(),
        &digest(MANIFEST),
        Some(time("2026-01-01T00:00:00Z")),
    );
    let refusal = judge_bundles(&policy, &[key.sign_statement(&old)]).unwrap_err();
    assert!(refusal.to_string().contains("is revoked"), "{refusal}");
}

#[test]
fn limits_survive_being_written_and_edited() {
    let (a, b) = (key(), key());
    let text = limited(&a, "not-after = 2026-12-31T23:59:59Z");
    let prefix = Prefix::parse("a.io").unwrap();
    let both = crate::add_key(Some(&text), &prefix, b.public()).unwrap();
    let policy = policy_of(&both);
    assert!(judge_at(&policy, &a, "2026-01-01T00:00:00Z").is_ok());
    expect_refusal(judge_at(&policy, &a, "2027-01-01T00:00:00Z"), "expired on");
    assert!(judge_at(&policy, &b, "2027-01-01T00:00:00Z").is_ok());
    let gone = b.public().fingerprint().to_string();
    let Ok(crate::Removal::Rule(one, _)) = crate::remove_key(&both, &prefix, &gone) else {
        panic!("not removed");
    };
    expect_refusal(
        judge_at(&policy_of(&one), &a, "2027-01-01T00:00:00Z"),
        "expired on",
    );
}
