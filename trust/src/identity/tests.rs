use image_name::Digest;

use super::*;

fn digest() -> Digest {
    Digest::parse(&format!("sha256:{}", "0a".repeat(32))).unwrap()
}

fn reference(text: &str) -> Identity {
    Identity::ExactReference(text.to_owned())
}

fn repository(text: &str) -> Identity {
    Identity::ExactRepository(text.to_owned())
}

fn remap(prefix: &str, signed_prefix: &str) -> Identity {
    Identity::RemapIdentity {
        prefix: prefix.to_owned(),
        signed_prefix: signed_prefix.to_owned(),
    }
}

/// For `a.io/x`, asked for by the tag 1, by a digest, and by both: for which of these signed names does
/// it count?
fn counting(identity: &Identity, signed: &[String]) -> [String; 3] {
    let digest = digest();
    [
        ":1".to_owned(),
        format!("@{digest}"),
        format!(":1@{digest}"),
    ]
    .map(|version| {
        let image = Reference::parse_full(&format!("a.io/x{version}")).unwrap();
        let counts = signed
            .iter()
            .map(|signed| match identity.accepts(Some(signed), &image) {
                true => '+',
                false => '-',
            });
        counts.collect()
    })
}

#[test]
fn fairings_own_rules_take_the_repository_with_any_tag() {
    let digest = digest();
    let signed = [
        "",
        ":1",
        ":2",
        &format!("@{digest}"),
        &format!(":1@{digest}"),
    ];
    let signed = signed.map(|version| format!("a.io/x{version}"));
    assert_eq!(
        counting(&Identity::Repository, &signed),
        ["+++--", "+++--", "+++--"]
    );
    let neighbours = ["a.io/xy", "a.io/x/y", "a.io:80/x", "a.io/X", "x", ""];
    let neighbours = neighbours.map(|name| format!("{name}:1"));
    assert_eq!(
        counting(&Identity::Repository, &neighbours),
        ["------", "------", "------"]
    );
}

#[test]
fn names_of_docker_hub_are_compared_in_full() {
    let image = Reference::parse("nginx:1").unwrap();
    let exact = reference("index.docker.io/nginx:1");
    for identity in [&Identity::MatchExact, &exact] {
        for signed in [
            "nginx:1",
            "library/nginx:1",
            "docker.io/nginx:1",
            "index.docker.io/nginx:1",
        ] {
            assert!(identity.accepts(Some(signed), &image), "{signed}");
        }
        for signed in [
            "nginx:2",
            "x/nginx:1",
            "docker.io/x/nginx:1",
            "nginx",
            "nginx:",
        ] {
            assert!(!identity.accepts(Some(signed), &image), "{signed}");
        }
    }
    let remapped = |prefix| remap("docker.io/library", prefix).accepts(Some("nginx:1"), &image);
    assert!(remapped("docker.io/library"));
    assert!(!remapped("docker.io"), "it leaves out \"library\"");
}

#[test]
fn what_may_match_is_no_mistake() {
    for identity in [
        Identity::MatchExact,
        reference("z:1"),
        reference(&format!("c.io/z@{}", digest())),
        repository("c.io/z:1"),
        remap("a.io:5000", "localhost/m"),
        remap("a.io/x", "b.io"),
    ] {
        assert_eq!(identity.mistake(), None, "{identity:?}");
    }
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
