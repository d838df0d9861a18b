use image_name::Digest;

use super::*;

fn digest() -> Digest {
    Digest::parse(&format!("sha256:{}", "0a".repeat(32))).unwrap()
}

/// Whether a name counts for `a.io/x`, asked for by the tag 1 and by a digest.
fn accepts(identity: &Identity, signed: &str) -> (bool, bool) {
    let tagged = Reference::parse_full("a.io/x:1").unwrap();
    let pinned = Reference::parse_full(&format!("a.io/x:1@{}", digest())).unwrap();
    (
        identity.accepts(Some(signed), &tagged),
        identity.accepts(Some(signed), &pinned),
    )
}

#[test]
fn each_kind_matches_as_podman_does() {
    let pinned = format!("a.io/x@{}", digest());
    let exact = |text: &str| Identity::ExactReference(text.to_owned());
    let repository = |text: &str| Identity::ExactRepository(text.to_owned());
    let remap = Identity::RemapIdentity {
        prefix: "a.io".to_owned(),
        signed_prefix: "b.io/mirror".to_owned(),
    };
    for (identity, signed, by_tag, by_digest) in [
        (Identity::Repository, "a.io/x", true, true),
        (Identity::Repository, "a.io/x:2", true, true),
        (Identity::MatchExact, "a.io/x:1", true, false),
        (Identity::MatchExact, "a.io/x:2", false, false),
        (Identity::MatchExact, "a.io/x", false, false),
        (Identity::MatchExact, &pinned, false, true),
        (Identity::MatchRepoDigestOrExact, "a.io/x:1", true, true),
        (Identity::MatchRepoDigestOrExact, "a.io/x:2", false, true),
        // What cosign writes: enough by digest alone, as with podman.
        (Identity::MatchRepoDigestOrExact, "a.io/x", false, true),
        (Identity::MatchRepoDigestOrExact, "a.io/xy:1", false, false),
        (Identity::MatchRepository, "a.io/x", true, true),
        (Identity::MatchRepository, "a.io/x:9", true, true),
        (Identity::MatchRepository, &pinned, true, true),
        (Identity::MatchRepository, "a.io/xy", false, false),
        (Identity::MatchRepository, "a.io/x/y", false, false),
        (Identity::MatchRepository, "a.io:80/x", false, false),
        (exact("c.io/z:3"), "c.io/z:3", true, true),
        (exact("c.io/z:3"), "c.io/z:4", false, false),
        (exact("c.io/z:3"), "c.io/z", false, false),
        (exact("c.io/z"), "c.io/z", false, false),
        (repository("c.io/z"), "c.io/z", true, true),
        (repository("c.io/z"), "c.io/z:9", true, true),
        (repository("c.io/z"), "a.io/x:1", false, false),
        (
            repository("docker.io/library/z"),
            "index.docker.io/library/z",
            true,
            true,
        ),
        (remap.clone(), "b.io/mirror/x:1", true, true),
        (remap.clone(), "b.io/mirror/x:2", false, true),
        (remap.clone(), "a.io/x:1", false, false),
    ] {
        let found = accepts(&identity, signed);
        assert_eq!(found, (by_tag, by_digest), "{identity:?} {signed}");
    }
    let elsewhere = Identity::RemapIdentity {
        prefix: "a.i".to_owned(),
        signed_prefix: "evil.io".to_owned(),
    };
    assert_eq!(
        accepts(&elsewhere, "a.io/x:1"),
        (true, true),
        "no whole component"
    );
}

#[test]
fn only_native_rules_take_a_signature_without_a_name() {
    let image = Reference::parse_full("a.io/x").unwrap();
    assert!(Identity::Repository.accepts(None, &image));
    for identity in [
        Identity::MatchExact,
        Identity::MatchRepoDigestOrExact,
        Identity::MatchRepository,
        Identity::ExactReference("a.io/x:1".to_owned()),
        Identity::ExactRepository("a.io/x".to_owned()),
    ] {
        assert!(!identity.accepts(None, &image), "{identity:?}");
    }
}

#[test]
fn a_refusal_names_what_the_signature_should_have() {
    let wants =
        |identity: &Identity, image: &str| identity.wants(&Reference::parse_full(image).unwrap());
    let pinned = format!("a.io/x:1@sha256:{}", "0a".repeat(32));
    let by_digest = format!("a.io/x@sha256:{}", "0a".repeat(32));
    for identity in [Identity::Repository, Identity::MatchRepository] {
        assert_eq!(wants(&identity, "a.io/x:1"), "a.io/x");
    }
    for identity in [Identity::MatchExact, Identity::MatchRepoDigestOrExact] {
        assert_eq!(wants(&identity, "a.io/x:1"), "a.io/x:1");
        assert_eq!(wants(&identity, &pinned), by_digest);
    }
    let exact = Identity::ExactReference("b.io/y:2".to_owned());
    assert_eq!(wants(&exact, "a.io/x:1"), "b.io/y:2");
    let remapped = Identity::RemapIdentity {
        prefix: "a.io".to_owned(),
        signed_prefix: "b.io/mirror".to_owned(),
    };
    assert_eq!(wants(&remapped, "a.io/x:1"), "b.io/mirror/x:1");
    assert_eq!(wants(&remapped, "a.iox/x:1"), "a.iox/x:1");
}
