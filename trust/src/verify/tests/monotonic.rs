//! Rules that no image can go back under.

use super::*;

fn monotonic(keys: &[&PrivateKey], threshold: usize) -> Policy {
    let rule = signed_by("a.io", keys, threshold);
    policy_of(&rule.replace("type =", "monotonic = true\ntype ="))
}

fn simple_at(key: &PrivateKey, when: &str) -> SignatureLayer {
    let repository = Repository::parse(NAME).unwrap();
    layer(
        key,
        payload(&repository, &digest(MANIFEST), Some(time(when))),
    )
}

fn bundle_at(key: &PrivateKey, when: &str) -> Vec<u8> {
    let repository = Repository::parse(NAME).unwrap();
    key.sign_statement(&signature_statement(
        &repository,
        &digest(MANIFEST),
        Some(time(when)),
    ))
}

fn seen(when: &str) -> Circumstances {
    at(Some(time(when)))
}

#[test]
fn an_older_image_is_refused_in_either_format() {
    let key = key();
    let policy = monotonic(&[&key], 1);
    let when = "2026-06-01T00:00:00Z";
    let judge = |at: &Circumstances| {
        let simple = judge_all(&policy, NAME, &[simple_at(&key, when)], &[], at);
        let bundle = judge_all(&policy, NAME, &[], &[bundle_at(&key, when)], at);
        assert_eq!(simple, bundle);
        simple
    };
    let image = judge(&at(None)).unwrap();
    assert_eq!(image.signed_at(), Some(time(when)));
    assert!(judge(&seen("2026-05-31T23:59:59Z")).is_ok());
    assert!(judge(&seen(when)).is_ok(), "the same image starts again");
    let refusal = judge(&seen("2026-06-01T00:00:01Z")).unwrap_err();
    assert!(matches!(refusal, Refusal::RolledBack { .. }));
    assert!(
        refusal.to_string().contains(
            "is older than one seen before under this name: it was signed on 2026-06-01T00:00:00Z, \
             that one on 2026-06-01T00:00:01Z"
        ),
        "{refusal}"
    );
}

#[test]
fn the_newest_signature_of_a_key_counts_wherever_it_stands() {
    let key = key();
    let policy = monotonic(&[&key], 1);
    let simple = [
        simple_at(&key, "2026-02-01T00:00:00Z"),
        simple_at(&key, "2026-01-01T00:00:00Z"),
    ];
    let bundles = [bundle_at(&key, "2026-03-01T00:00:00Z")];
    let image = judge_all(&policy, NAME, &simple, &bundles, &at(None)).unwrap();
    assert_eq!(image.signed_at(), Some(time("2026-03-01T00:00:00Z")));
}

#[test]
fn one_key_of_several_can_not_make_an_image_look_new() {
    let (a, b, c) = (key(), key(), key());
    let policy = monotonic(&[&a, &b, &c], 2);
    let simple = [
        simple_at(&a, "2026-01-01T00:00:00Z"),
        simple_at(&b, "2026-12-01T00:00:00Z"),
        simple_at(&c, "2026-02-01T00:00:00Z"),
    ];
    let image = judge_all(&policy, NAME, &simple, &[], &at(None)).unwrap();
    assert_eq!(image.signed_at(), Some(time("2026-02-01T00:00:00Z")));
    let keys = [b.public().fingerprint(), c.public().fingerprint()];
    assert_eq!(image.verification().keys, keys);
    let refusal =
        judge_all(&policy, NAME, &simple, &[], &seen("2026-03-01T00:00:00Z")).unwrap_err();
    assert!(matches!(refusal, Refusal::RolledBack { .. }), "{refusal}");
}

#[test]
fn signatures_without_a_good_time_do_not_count() {
    let key = key();
    let policy = monotonic(&[&key], 1);
    let with = |optional: &str| {
        let text = payload(&Repository::parse(NAME).unwrap(), &digest(MANIFEST), None);
        let text = String::from_utf8(text).unwrap();
        layer(&key, text.replace("null", optional).into_bytes())
    };
    for (layer, part) in [
        (with("null"), "it carries no timestamp"),
        (with("{}"), "it carries no timestamp"),
        (
            with("{\"timestamp\":\"yesterday\"}"),
            "its timestamp is not a time",
        ),
        (with("{\"timestamp\":1.5}"), "its timestamp is not a time"),
        (with("{\"timestamp\":-1}"), "its timestamp is not a time"),
        (with("{\"timestamp\":[]}"), "its timestamp is not a time"),
        (with("{\"timestamp\":1,\"timestamp\":2}"), "appears twice"),
        (simple_at(&key, "2027-01-01T00:05:01Z"), "is in the future"),
        (simple_at(&key, "9999-12-31T23:59:59Z"), "is in the future"),
    ] {
        let refusal = judge(&policy, NAME, &[layer]).unwrap_err();
        assert!(refusal.to_string().contains(part), "{refusal}");
    }
    // Clocks differ.
    assert!(judge(&policy, NAME, &[simple_at(&key, "2027-01-01T00:05:00Z")]).is_ok());
    let nameless = bundle(&key, NAME, MANIFEST);
    expect_refusal(
        judge_bundles(&policy, &[nameless]),
        "it carries no timestamp",
    );
}

#[test]
fn a_rule_that_is_not_monotonic_looks_at_no_time() {
    let key = key();
    let policy = policy(&[signed_by("a.io", &[&key], 1)]);
    let future = [simple_at(&key, "9999-12-31T23:59:59Z")];
    let image = judge_all(&policy, NAME, &future, &[], &seen("9999-12-31T23:59:59Z")).unwrap();
    // And gives none back: it must not become the newest seen.
    assert_eq!(image.signed_at(), None);
}
