use super::*;
use crate::{Digest, Reference};

fn covers(prefix: &str, repository: &str) -> bool {
    let repository = Repository::parse(repository).unwrap();
    Prefix::parse(prefix).unwrap().covers(&repository)
}

#[test]
fn prefixes_cover_whole_components() {
    assert!(covers("a.io/foo", "a.io/foo"));
    assert!(covers("a.io/foo", "a.io/foo/x/y"));
    assert!(covers("a.io", "a.io/foo"));
    assert!(covers("*", "a.io/foo"));
    assert!(covers("localhost:5000", "localhost:5000/x"));
    assert!(covers("[::1]:5000/a", "[::1]:5000/a/b"));
}

/// Neighbours that no kind of rule covers.
const NEIGHBOURS: [(&str, &str); 14] = [
    ("a.io/foo", "a.io/foobar"),
    ("a.io/foo", "a.io/foo-bar"),
    ("a.io/foo", "a.io/foo.bar/x"),
    ("a.io/foo", "a.io/fo"),
    ("a.io/foo/x", "a.io/foo"),
    ("a.io/foo", "b.a.io/foo"),
    ("a.io", "a.io.evil.net/x"),
    ("a.io", "a.iox/x"),
    ("a.io", "a.io:5000/x"),
    ("a.io:500", "a.io:5000/x"),
    ("a.io:5000", "a.io/x"),
    ("a.io:5000", "a.io:5001/x"),
    ("localhost", "localhost:5000/x"),
    ("docker.io/library", "docker.io/libraryx/y"),
];

#[test]
fn neighbours_are_not_covered() {
    for (prefix, repository) in NEIGHBOURS {
        let repository = Repository::parse(repository).unwrap();
        for prefix in [
            Prefix::parse(prefix).unwrap(),
            Prefix::scope(prefix),
            Prefix::of_registry(prefix).unwrap(),
            Prefix::from(&Location::parse(prefix).unwrap()),
        ] {
            assert!(!prefix.covers(&repository), "{prefix} covers {repository}");
        }
    }
}

#[test]
fn the_prefix_of_a_repository_covers_it_and_what_is_below() {
    let repository = Repository::parse("a.io/foo").unwrap();
    let prefix = Prefix::from(&repository);
    assert_eq!(prefix, Prefix::parse("a.io/foo").unwrap());
    assert!(prefix.covers(&repository));
    assert_eq!(prefix.location(), Some(Location::from(&repository)));
}

#[test]
fn only_the_star_is_everything() {
    assert!(Prefix::parse("*").unwrap().is_everything());
    assert!(Prefix::scope("").is_everything());
    for scope in ["a.io", "*.a.io", "**"] {
        assert!(!Prefix::scope(scope).is_everything(), "{scope}");
    }
}

#[test]
fn scopes_of_policy_json_are_domains_and_single_images_too() {
    let digest = Digest::from_bytes(&[10; 32]);
    let covers = |scope: &str, repository: &str| {
        let tagged = Reference::parse(&format!("{repository}:1")).unwrap();
        let pinned = Reference::parse(&format!("{repository}:1@{digest}")).unwrap();
        let scope = Prefix::scope(scope);
        (scope.covers(&tagged), scope.covers(&pinned))
    };
    let pinned = format!("a.io/x@{digest}");
    assert_eq!(covers("", "a.io/x"), (true, true));
    assert_eq!(covers("*.a.io", "b.a.io/x"), (true, true));
    assert_eq!(covers("*.a.io", "c.b.a.io:5000/x"), (true, true));
    assert_eq!(covers("a.io/x:1", "a.io/x"), (true, false));
    assert_eq!(covers(&pinned, "a.io/x"), (false, true));
    for (scope, repository) in [
        ("*.a.io", "a.io/x"),
        ("*.a.io", "ba.io/x"),
        ("*.a.io", "b.a.io.evil.net/x"),
        ("*.a.io", "[::1]:5000/x"),
        ("*.a.io/x", "b.a.io/x"),
        ("*.a.io:5000", "b.a.io:5000/x"),
        ("a.io/x:1", "a.io/x/y"),
        ("a.io/x:2", "a.io/x"),
        ("a.io/x:11", "a.io/x"),
        ("a.io:5000", "a.io/x"),
        ("A.io", "a.io/x"),
        ("a.io/", "a.io/x"),
    ] {
        assert_eq!(covers(scope, repository), (false, false), "{scope}");
    }
}

#[test]
fn a_repository_alone_is_no_single_image() {
    let repository = Repository::parse("a.io/x").unwrap();
    assert!(!Prefix::scope("a.io/x:1").covers(&repository));
    assert!(!Prefix::scope("a.io/x:").covers(&repository));
}

#[test]
fn prefixes_of_registries_take_any_case_and_tell_what_is_behind() {
    let rest = |prefix: &str, place: &str| {
        let place = Location::parse(place).unwrap();
        let prefix = Prefix::of_registry(prefix).unwrap();
        prefix.rest(&place).map(str::to_owned)
    };
    for (prefix, place, behind) in [
        ("Q.io/team/", "q.io/team/app", Some("/app")),
        ("q.io", "q.io", Some("")),
        ("*.Q.io", "a.b.q.io/team", Some("/team")),
        ("*.q.io/team", "a.q.io/team/app", Some("/app")),
        ("*.q.io:80", "a.q.io:80/x", Some("/x")),
        ("*.q.io", "q.io/team", None),
        ("*.q.io", "a.q.io:80/x", None),
        ("*.q.io/team", "a.q.io/teams", None),
        ("*.q.io/team", "a.q.io", None),
        ("mirror", "mirror/x", Some("/x")),
    ] {
        assert_eq!(rest(prefix, place).as_deref(), behind, "{prefix} {place}");
    }
    let image = Prefix::of_registry("q.io/app:1").unwrap();
    assert_eq!(
        image.rest(&Reference::parse("q.io/app:1").unwrap()),
        Some("")
    );
    assert_eq!(image.location(), None);
    assert_eq!(Prefix::of_registry("*.q.io").unwrap().location(), None);
    for text in ["", "*", "*.", "/x", "q..io", "q.io:0/x"] {
        let error = Prefix::of_registry(text).unwrap_err().to_string();
        assert!(error.contains("is not a prefix of image names"), "{error}");
    }
}

#[test]
fn the_longest_prefix_is_the_most_specific_and_one_host_beats_many() {
    let order = [
        "*",
        "*.io",
        "*.a.io",
        "a.io",
        "*.a.io/x",
        "b.a.io/x",
        "b.a.io/x:1",
    ];
    let order = order.map(|scope| Prefix::scope(scope).specificity());
    assert!(order.is_sorted(), "{order:?}");
    assert!(order.windows(2).all(|pair| pair[0] != pair[1]));
}

#[test]
fn prefixes_are_written_and_read_as_their_text() {
    let prefix: Prefix = "a.io/foo".parse().unwrap();
    assert_eq!(serde_json::to_string(&prefix).unwrap(), "\"a.io/foo\"");
    assert_eq!(
        serde_json::from_str::<Prefix>("\"a.io/foo\"").unwrap(),
        prefix
    );
    assert_eq!(format!("{prefix:>10}"), "  a.io/foo");
    assert_eq!(prefix.as_str(), "a.io/foo");
    let error = serde_json::from_str::<Prefix>("\"a.io/foo:1\"").unwrap_err();
    assert!(error.to_string().contains("leave the tag out"), "{error}");
}
