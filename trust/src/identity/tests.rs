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

/// The versions with which a name is signed; the last is another digest.
fn versions() -> [String; 6] {
    let other = format!("@sha256:{}", "0b".repeat(32));
    let digest = format!("@{}", digest());
    [
        String::new(),
        ":1".to_owned(),
        ":2".to_owned(),
        digest.clone(),
        format!(":1{digest}"),
        other,
    ]
}

/// For `a.io/x`, asked for by the tag 1, by a digest, and by both: for which of the versions with which
/// `name` is signed does it count?
fn counting(identity: &Identity, name: &str) -> [String; 3] {
    let digest = digest();
    [
        ":1".to_owned(),
        format!("@{digest}"),
        format!(":1@{digest}"),
    ]
    .map(|version| {
        let image = Reference::parse_full(&format!("a.io/x{version}")).unwrap();
        let signed = versions().map(|version| format!("{name}{version}"));
        let counts = signed.map(|signed| match identity.accepts(Some(&signed), &image) {
            true => '+',
            false => '-',
        });
        counts.into_iter().collect()
    })
}

// Signed with: nothing, the tag, another tag, the digest, tag and digest, another digest.
#[test]
fn every_identity_gives_the_verdict_of_containers_image_for_every_form_of_name() {
    let pinned = format!("c.io/z@{}", digest());
    for (identity, name, by_tag, by_digest) in [
        (Identity::MatchExact, "a.io/x", "-+----", "---+--"),
        // A name without tag and digest counts never, not even for an image that is asked for by digest.
        (
            Identity::MatchRepoDigestOrExact,
            "a.io/x",
            "-+----",
            "-+++++",
        ),
        (Identity::MatchRepository, "a.io/x", "++++++", "++++++"),
        (reference("c.io/z:1"), "c.io/z", "-+----", "-+----"),
        (reference(&pinned), "c.io/z", "---+--", "---+--"),
        (
            reference(&format!("{pinned}0")),
            "c.io/z",
            "------",
            "------",
        ),
        (reference("c.io/z"), "c.io/z", "------", "------"),
        (repository("c.io/z"), "c.io/z", "++++++", "++++++"),
        // The tag of a repository says nothing.
        (repository("c.io/z:9"), "c.io/z", "++++++", "++++++"),
        (repository(&pinned), "c.io/z", "++++++", "++++++"),
        (remap("a.io", "b.io/m"), "b.io/m/x", "-+----", "-+++++"),
        (remap("a.io/x", "b.io/m"), "b.io/m", "-+----", "-+++++"),
        // What is not remapped keeps its name.
        (remap("z.io", "b.io/m"), "a.io/x", "-+----", "-+++++"),
        // No whole component.
        (remap("a.i", "b.i"), "a.io/x", "-+----", "-+++++"),
        (remap("a.i", "b.i"), "b.io/x", "------", "------"),
    ] {
        let counting = |name: &str| counting(&identity, name);
        let found = counting(name);
        // podman leaves out a tag beside a digest.
        assert_eq!(found, [by_tag, by_digest, by_digest], "{identity:?}");
        for (other, why) in [
            ("a.io/xy", "neighbour"),
            ("a.io/x/y", "below"),
            ("a.io:80/x", "port"),
            ("A.io/x", "another host, as podman has it"),
            ("a.io/X", "no name"),
            ("a.io//x", "no name"),
            (" a.io/x", "no name"),
            ("", "nothing"),
        ] {
            let found = counting(other);
            assert_eq!(found, ["------"; 3], "{identity:?} {other:?}: {why}");
        }
    }
}

#[test]
fn fairings_own_rules_take_the_repository_with_any_tag() {
    assert_eq!(
        counting(&Identity::Repository, "a.io/x"),
        ["+++---", "+++---", "+++---"]
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
fn what_could_never_match_is_a_mistake() {
    for identity in [
        reference("c.io/z"),
        reference("c.io/Z:1"),
        reference(""),
        repository("c.io/z:"),
        repository("http://c.io/z"),
        remap("", "b.io"),
        remap("a.io", "b.io/"),
        remap("a.io/x:1", "b.io"),
        remap("*", "b.io"),
    ] {
        assert!(identity.mistake().is_some(), "{identity:?}");
    }
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
