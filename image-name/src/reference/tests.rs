use super::*;
use crate::Location;

const HEX: &str = "6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b";

fn canonical(text: &str) -> String {
    Reference::parse(text).unwrap().to_string()
}

#[test]
fn spellings_of_one_image_are_equal() {
    for text in [
        "busybox",
        "busybox:latest",
        "library/busybox",
        "docker.io/busybox",
        "docker.io/library/busybox:latest",
        "index.docker.io/busybox",
        "Docker.IO/library/busybox",
    ] {
        assert_eq!(
            canonical(text),
            "docker.io/library/busybox:latest",
            "{text}"
        );
    }
}

#[test]
fn registries_ports_tags_and_digests() {
    assert_eq!(canonical("localhost/a"), "localhost/a:latest");
    assert_eq!(canonical("localhost:5000/a/b:V1"), "localhost:5000/a/b:V1");
    assert_eq!(canonical("[::1]:5000/a"), "[::1]:5000/a:latest");
    assert_eq!(
        canonical("10.0.0.1/a__b/c-d.e"),
        "10.0.0.1/a__b/c-d.e:latest"
    );
    assert_eq!(canonical("team/app:1"), "docker.io/team/app:1");
    assert_eq!(
        canonical(&format!("q.io/a@sha256:{HEX}")),
        format!("q.io/a@sha256:{HEX}")
    );
    let both = Reference::parse(&format!("q.io/a:x@sha256:{HEX}")).unwrap();
    assert_eq!(
        (both.tag(), both.repository().as_str()),
        (Some("x"), "q.io/a")
    );
    assert_eq!(both.digest().unwrap().hex(), HEX);
    assert_eq!(Reference::parse("q.io/a@x").ok(), None);
}

#[test]
fn names_without_a_host_are_short() {
    for text in ["busybox", "busybox:1", "team/app", "team/app:1", "host/a.b"] {
        assert!(Reference::is_short(text), "{text}");
    }
    for text in [
        "q.io/a",
        "localhost/a",
        "LOCALHOST/a",
        "h:5000/a",
        "[::1]/a",
    ] {
        assert!(!Reference::is_short(text), "{text}");
    }
}

/// Many texts of pieces that matter to the grammar, the same at each run.
fn generated() -> impl Iterator<Item = String> {
    const PIECES: [&str; 24] = [
        "a",
        "b7",
        "LOCALHOST",
        "localhost",
        "MYHOST",
        "docker.io",
        "index.docker.io",
        "q.io",
        "[::1]",
        "[0:0::A]",
        "library",
        "/",
        "/",
        "/",
        ":",
        ":5000",
        ":x",
        ".",
        "-",
        "__",
        "V1",
        "@sha256:",
        HEX,
        "Docker.IO",
    ];
    let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).unwrap()
    };
    (0..200_000).map(move |_| {
        let count = 1 + next() % 7;
        (0..count).map(|_| PIECES[next() % PIECES.len()]).collect()
    })
}

#[test]
fn whatever_is_parsed_is_what_its_canonical_text_parses_to() {
    let mut parsed = 0;
    for text in generated() {
        let Ok(reference) = Reference::parse(&text) else {
            continue;
        };
        parsed += 1;
        let canonical = reference.to_string();
        assert_eq!(Reference::parse(&canonical).ok(), Some(reference), "{text}");
        assert!(!Reference::is_short(&canonical), "{text}");
    }
    assert!(parsed > 10_000, "{parsed} texts are references");
}

#[test]
fn canonical_form_is_a_fixed_point() {
    for text in [
        "busybox",
        "localhost:5000/a/b:V1",
        "[::1]:5000/a",
        "a.b/c:d",
    ] {
        let once = canonical(text);
        assert_eq!(canonical(&once), once);
    }
}

#[test]
fn hostile_texts_are_refused() {
    let long = "a".repeat(300);
    let digest_upper = format!("a@sha256:{}", HEX.to_uppercase());
    let digest_other = format!("a@sha512:{HEX}{HEX}");
    for text in [
        "",
        "/",
        "a/",
        "/a",
        "a//b",
        "../a",
        "a/../b",
        "A",
        "a/B",
        "q.io/",
        "q.io/a:",
        ":x",
        "q.io/a:-x",
        "q.io/a:.x",
        "a b",
        "a\n",
        "a\0",
        "a%2Fb",
        "q.io:0/a",
        "q.io:65536/a",
        "q.io:/a",
        "q.io:+5/a",
        "-q.io/a",
        "q-.io/a",
        "q..io/a",
        "[::1/a",
        "[x]/a",
        "[::1]x/a",
        "a___b",
        "a._b",
        "a-",
        "_a",
        "a@sha256:00",
        "é",
        "MYHOST/foo",
        "MyHost/team/foo",
        "q.io/é",
        "a@",
        "@",
        "q.io/a:b:c",
        HEX,
        &long,
        &digest_upper,
        &digest_other,
    ] {
        let error = Reference::parse(text).unwrap_err();
        let is_refusal = matches!(error, NameError::Reference { .. });
        assert!(is_refusal, "{text:?}: {error:?}");
    }
    let error = Reference::parse(&format!("q.io/a:{}", "t".repeat(129))).unwrap_err();
    assert!(error.to_string().contains("tag"), "{error}");
    assert!(Reference::parse(&format!("q.io/a:{}", "t".repeat(128))).is_ok());
}

#[test]
fn names_have_the_length_that_registries_take() {
    let name = |length: usize| format!("q.io/{}", "a".repeat(length - "q.io/".len()));
    assert!(Reference::parse(&name(255)).is_ok() && Repository::parse(&name(255)).is_ok());
    // A tag and a digest come on top.
    let whole = format!("{}:{}@sha256:{HEX}", name(255), "t".repeat(128));
    assert_eq!(canonical(&whole), whole);
    let hub = "a".repeat(255 - "docker.io/library/".len());
    assert!(Reference::parse(&hub).is_ok());
    for text in [name(256), format!("{hub}a"), format!("{}:1", name(2000))] {
        let error = Reference::parse(&text).unwrap_err().to_string();
        assert!(error.contains("longer than 255 bytes"), "{error}");
    }
    let error = Repository::parse(&name(256)).unwrap_err().to_string();
    assert!(error.contains("longer than 255 bytes"), "{error}");
}

#[test]
fn hosts_have_the_length_that_resolvers_take() {
    // Labels of 63, a dot behind each but the last.
    let host = |last: usize| {
        format!(
            "{}{}",
            format!("{}.", "a".repeat(63)).repeat(3),
            "b".repeat(last)
        )
    };
    assert_eq!(host(61).len(), 253);
    assert!(Location::parse(&host(61)).is_ok());
    assert!(Location::parse(&format!("{}:65535/team", host(61))).is_ok());
    for (text, reason) in [
        (host(62), "longer than 253 bytes"),
        (format!("{}:80", host(62)), "longer than 253 bytes"),
        (format!("{}.io", "a".repeat(64)), "not a valid host name"),
    ] {
        let error = Location::parse(&text).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
}

#[test]
fn errors_are_one_short_line() {
    let message = Reference::parse(&"\u{1b}[31m\n".repeat(100))
        .unwrap_err()
        .to_string();
    assert!(
        message.len() < 1000 && !message.contains(['\n', '\u{1b}']),
        "{message}"
    );
    // What is left out of a long text is seen to be.
    let long = Reference::parse(&"A".repeat(121)).unwrap_err().to_string();
    assert!(
        long.contains(&format!("\"{}...\"", "A".repeat(120))),
        "{long}"
    );
    let short = Reference::parse(&"A".repeat(120)).unwrap_err().to_string();
    assert!(!short.contains("..."), "{short}");
}

#[test]
fn a_reference_in_full_leaves_nothing_of_its_repository_out() {
    let full = |text: &str| Reference::parse_full(text).map(|reference| reference.to_string());
    assert_eq!(full("q.io:5000/a").unwrap(), "q.io:5000/a:latest");
    assert_eq!(full("q.io/a:1").unwrap(), "q.io/a:1");
    let pinned = format!("q.io/a@sha256:{HEX}");
    assert_eq!(full(&pinned).unwrap(), pinned);
    for text in ["busybox", "team/app:1", "Q.io/a", "q.io", "q.io:1"] {
        let error = full(text).unwrap_err();
        assert!(
            matches!(error, NameError::Repository { .. }),
            "{text}: {error}"
        );
    }
    for text in ["q.io/a:", "q.io/a@sha256:00", "q.io/a:-"] {
        let error = full(text).unwrap_err();
        assert!(
            matches!(error, NameError::Reference { .. }),
            "{text}: {error}"
        );
    }
}

#[test]
fn another_version_of_the_same_repository() {
    let digest = Digest::parse(&format!("sha256:{HEX}")).unwrap();
    let both = Reference::parse(&format!("q.io/a:x@{digest}")).unwrap();
    assert_eq!(both.at_tag("v1").unwrap().to_string(), "q.io/a:v1");
    assert_eq!(
        both.at_digest(&digest).to_string(),
        format!("q.io/a@{digest}")
    );
    assert_eq!(
        both.at_tag("").unwrap_err().to_string(),
        "invalid image reference \"q.io/a:\": the tag must be 1 to 128 of a-z, A-Z, 0-9, \"_\", \
         \".\" and \"-\", not beginning with \".\" or \"-\""
    );
}

#[test]
fn serialised_as_its_canonical_text() {
    let reference = Reference::parse("busybox").unwrap();
    let json = serde_json::to_string(&reference).unwrap();
    assert_eq!(json, "\"docker.io/library/busybox:latest\"");
    assert_eq!(serde_json::from_str::<Reference>(&json).unwrap(), reference);
    let error = serde_json::from_str::<Reference>("\"A\"").unwrap_err();
    assert!(error.to_string().contains("lower case"), "{error}");
}
